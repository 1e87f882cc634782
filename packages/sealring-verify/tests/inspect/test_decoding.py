from base64 import urlsafe_b64encode

from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.inspect.decoding import EncryptedToken, OpaqueText, SignedToken, Unreadable, read_token
from sealring_verify.inspect.inspection import as_json, inspect_token
from sealring_verify.inspect.terminal import as_text

HEADER = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}


def part(text: str) -> str:
    return urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def test_what_surrounds_a_token_is_left_out() -> None:
    for given_text in (f"{HEADER}.e30.", f"  bearer {HEADER}.e30.\n", f"AUTHORIZATION: Bearer {HEADER}.\r\ne30."):
        token = read_token(given_text)
        assert isinstance(token, SignedToken)
        assert (token.text, token.header, token.claims) == (f"{HEADER}.e30.", {"alg": "none"}, {})


def test_each_form_is_known() -> None:
    assert isinstance(read_token(f"{HEADER}.a.b.c.d"), EncryptedToken)
    assert isinstance(read_token("slr_whatever"), OpaqueText)
    for text in ("", ".", "..", "a.b", f"{HEADER}.e30", "x" * 300_000, "\ud800", "slx_abc"):
        assert isinstance(read_token(text), Unreadable)


def test_depth_ends_the_reading_and_not_the_program() -> None:
    for depth in (33, 100_000 // 4):
        token = read_token(f"{HEADER}.{part('[' * depth + ']' * depth)}.x")
        assert isinstance(token, SignedToken)
        assert token.claims is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["alg", "typ", "kid", "cty", "crit", "iss", "aud", "sub", "exp", "iat", "nbf", "scope", "events"]
)


@given(header=st.dictionaries(NAMES, JSON, max_size=5), claims=st.dictionaries(NAMES, JSON, max_size=6) | JSON)
def test_whatever_a_token_holds_is_shown_in_printable_lines(header: object, claims: object) -> None:
    import json

    token = read_token(f"{part(json.dumps(header))}.{part(json.dumps(claims))}.c2ln")
    inspection = inspect_token(token, verdict=None, secret_is_short=False, now=1_800_000_000)
    assert json.dumps(as_json(inspection)).isascii()
    text = as_text(inspection, colours=False)
    text.encode()
    assert all(line.isprintable() for line in text.split("\n"))


@given(text=st.text(st.characters()) | st.text("eyJ.=-_A", max_size=60))
def test_whatever_is_given_is_read_without_an_exception(text: str) -> None:
    inspect_token(read_token(text), verdict=None, secret_is_short=False, now=0)
