import re

from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.errors import InvalidToken
from sealring_verify.inspect.decoding import read_token
from sealring_verify.inspect.inspection import Verdict, inspect_token
from sealring_verify.inspect.terminal import as_text, encode_for_terminal
from sealring_verify.jose import base64url

NOW = 1_800_000_000


def text_of(token: str, verdict: Verdict | None = None, *, colours: bool = False) -> str:
    inspection = inspect_token(read_token(token), verdict=verdict, secret_is_short=False, now=NOW)
    return as_text(inspection, colours=colours)


def token(header: str, claims: str) -> str:
    return b".".join(map(base64url.encode, (header.encode(), claims.encode(), b"sig"))).decode()


PLAIN = token('{"alg":"ES256","typ":"at+jwt"}', '{"exp":1800000038,"department":"\\u001b[2J\\u202etxt"}')


def test_dates_stand_in_words_behind_their_numbers() -> None:
    assert "  exp         1800000038  expires 2027-01-15 08:00:38 UTC, in 38 s" in text_of(PLAIN).split("\n")


def test_a_strangers_text_does_not_reach_the_terminal_raw() -> None:
    assert r"\x1b[2J\u202etxt" in text_of(PLAIN)
    named = token('{"alg":"\\u0007"}', '{"\\u009b31m":"\\ud800"}')
    assert r"\x9b31m" in text_of(named)
    refused = Verdict(refusals=(InvalidToken("invalid_claim", "\x1b[2J"),))
    for text in (text_of(PLAIN, refused), text_of(named, Verdict(kid="\x1b]0;x\x07", alg="ES256"))):
        text.encode()
        assert all(line.isprintable() for line in text.split("\n"))


def test_colours_are_added_and_change_nothing_else() -> None:
    verdict = Verdict(refusals=(InvalidToken("token_expired", "exp"),), passes_at=NOW - 60)
    coloured = text_of(PLAIN, verdict, colours=True)
    assert "\x1b[35mHEADER\x1b[0m" in coloured
    assert "\x1b[36mCLAIMS\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]+m", "", coloured) == text_of(PLAIN, verdict)


def test_the_verdict_says_what_was_found_and_when_time_helps() -> None:
    verdict = Verdict(refusals=(InvalidToken("token_not_yet_valid", "nbf"),), passes_at=NOW + 38)
    assert "REFUSED  token_not_yet_valid (nbf)" in text_of(PLAIN, verdict)
    assert "would pass in 38 s" in text_of(PLAIN, verdict)
    expired = Verdict(refusals=(InvalidToken("token_expired", "exp"), InvalidToken("wrong_audience", "aud")))
    assert "then: wrong_audience (aud)" in text_of(PLAIN, expired)
    assert "VERIFIED  the signature holds (ES256, key k1)" in text_of(PLAIN, Verdict(kid="k1", alg="ES256"))
    assert "would pass" in text_of(PLAIN, Verdict(explains=True))


def test_neither_signature_nor_opaque_text_is_printed() -> None:
    assert "c2ln" not in text_of(PLAIN)
    assert "hidden" not in text_of("slo_hidden")


@given(text=st.text(st.characters()))
def test_any_text_becomes_one_printable_line(text: str) -> None:
    encoded = encode_for_terminal(text)
    encoded.encode()
    assert encoded.isprintable()
