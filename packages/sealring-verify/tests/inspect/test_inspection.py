from sealring_verify.errors import InvalidToken
from sealring_verify.inspect.decoding import read_token
from sealring_verify.inspect.inspection import Verdict, as_json, dates_in_words, inspect_token

NOW = 1_800_000_000
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjE4MDAwMDAwMzgsImlhdCI6bnVsbH0.c2lnbmF0dXJl"


def test_the_json_holds_what_was_found_and_no_signature() -> None:
    told = as_json(inspect_token(read_token(TOKEN), verdict=None, secret_is_short=False, now=NOW))
    assert told["header"] == {"alg": "ES256"}
    assert told["claims"] == {"exp": NOW + 38, "iat": None}
    assert told["dates"] == {"exp": "2027-01-15 08:00:38 UTC, in 38 s"}
    assert told["verdict"] is None
    assert "c2lnbmF0dXJl" not in str(told)


def test_an_opaque_text_is_described_and_never_repeated() -> None:
    told = as_json(inspect_token(read_token("slr_verysecret"), verdict=None, secret_is_short=False, now=NOW))
    assert (told["kind"], told["header"], told["claims"]) == ("slr_", None, None)
    assert "verysecret" not in str(told)


def test_a_short_secret_is_a_remark_of_its_weight() -> None:
    told = inspect_token(read_token(TOKEN), verdict=Verdict(), secret_is_short=True, now=NOW)
    levels = [remark.level for remark in told.remarks]
    assert "short_secret" in [remark.code for remark in told.remarks]
    assert levels == sorted(levels, key=["danger", "warning", "note"].index)


def test_a_verdict_says_when_the_token_passes() -> None:
    verdict = Verdict(refusals=(InvalidToken("token_not_yet_valid", "nbf"),), passes_at=NOW + 38)
    told = as_json(inspect_token(read_token(TOKEN), verdict=verdict, secret_is_short=False, now=NOW))["verdict"]
    assert isinstance(told, dict)
    assert (told["outcome"], told["code"], told["claim"], told["passes_in"]) == (
        "refused",
        "token_not_yet_valid",
        "nbf",
        38,
    )


def test_only_dates_are_told_in_words() -> None:
    assert dates_in_words({"exp": NOW, "nbf": "soon", "jti": 5}, now=NOW) == {"exp": "2027-01-15 08:00:00 UTC, now"}
