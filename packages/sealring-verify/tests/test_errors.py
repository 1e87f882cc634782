import pickle
import re
from pathlib import Path

import pytest

import sealring_verify
from sealring_verify.errors import (
    CODES,
    UNAVAILABLE_CODES,
    InsufficientAuthentication,
    InsufficientScope,
    IntrospectionUnavailable,
    InvalidRequest,
    InvalidToken,
    IssuerUnavailable,
    KeysUnavailable,
    TokenRefused,
    TokenUnavailable,
)

EVERY = [
    InvalidRequest("token_transport"),
    InvalidToken("token_expired", "exp"),
    InvalidToken("token_inactive"),
    InsufficientScope({"orders:write", "orders:read"}),
    InsufficientAuthentication("acr", ("gold", "silver"), 300, {"orders:write"}),
    KeysUnavailable("keys_unavailable"),
    IntrospectionUnavailable("introspection_unavailable", "why", 7),
]


def test_one_base_catches_everything_and_carries_a_status() -> None:
    assert [refusal.status for refusal in EVERY] == [400, 401, 401, 403, 401, 503, 503]
    assert all(isinstance(refusal, TokenRefused) for refusal in EVERY)
    assert issubclass(KeysUnavailable, IssuerUnavailable)


@pytest.mark.parametrize("refusal", EVERY, ids=lambda refusal: refusal.code)
def test_a_refusal_survives_a_process_boundary(refusal: TokenRefused) -> None:
    again = pickle.loads(pickle.dumps(refusal))  # noqa: S301 - our own bytes
    assert type(again) is type(refusal)
    assert (again.code, again.claim, again.message, str(again)) == (
        refusal.code,
        refusal.claim,
        refusal.message,
        str(refusal),
    )


def test_a_refusal_reads_as_code_claim_and_sentence() -> None:
    assert str(InvalidToken("token_expired", "exp")) == "token_expired (exp): The token has expired."
    assert str(InvalidToken("token_expired")) == "token_expired: The token has expired."
    assert InsufficientScope(["b", "a"]).message == "This operation needs the scope: a b."


def test_an_unknown_code_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        InvalidToken("no_such_code")


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_snake_case_and_its_sentence_fits_a_quoted_header_value(code: str) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    # RFC 6750 §3: error_description has neither quote nor backslash nor anything beyond ASCII.
    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+\.", CODES[code])


def test_every_code_is_raised_somewhere_and_every_raised_code_is_in_the_table() -> None:
    source = Path(sealring_verify.__file__).parent
    text = "".join(path.read_text() for path in source.rglob("*.py") if path.name != "errors.py")
    text += (source / "errors.py").read_text().partition("class TokenRefused")[2]
    raised = set(re.findall(r"\b(?:InvalidToken|InvalidRequest|(?!Token)\w+Unavailable|__init__)\(\s*\"(\w+)\"", text))
    assert raised == set(CODES)


@pytest.mark.parametrize("code", UNAVAILABLE_CODES)
def test_a_token_that_could_not_be_had_says_why_and_when_to_try_again(code: str) -> None:
    unavailable = TokenUnavailable(code, retry_after=4)
    assert str(unavailable) == f"{code}: {UNAVAILABLE_CODES[code]}"
    copied = pickle.loads(pickle.dumps(unavailable))  # noqa: S301 - our own
    assert (copied.code, copied.message, copied.retry_after) == (code, unavailable.message, 4)
    source = Path(sealring_verify.__file__).parent
    assert any(f'"{code}"' in path.read_text() for path in source.rglob("*.py") if path.name != "errors.py")
