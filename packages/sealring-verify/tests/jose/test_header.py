import pytest

from sealring_verify.errors import InvalidToken
from sealring_verify.jose.header import Header, parse_header


def _code(octets: bytes) -> str:
    with pytest.raises(InvalidToken) as refused:
        parse_header(octets)
    return refused.value.code


def test_a_header_keeps_what_counts_and_drops_every_offer_of_a_key() -> None:
    octets = b'{"alg":"ES256","kid":"k","typ":"at+jwt","jku":"https://evil.example","x5u":"x","x5c":["AAAA"],"x5t":"t"}'
    assert parse_header(octets) == Header(alg="ES256", kid="k", typ="at+jwt")
    assert parse_header(b'{"alg":"ES256"}') == Header(alg="ES256", kid=None, typ=None)


@pytest.mark.parametrize("crit", [b"[]", b'["exp"]', b'["b64"]', b"1", b'"exp"', b"null", b"true"])
def test_every_crit_is_refused(crit: bytes) -> None:
    assert _code(b'{"alg":"ES256","crit":' + crit + b"}") == "critical_header"


@pytest.mark.parametrize("crit", [b"[1]", b"{}", b"[[]]"])
def test_a_crit_of_the_wrong_type_is_malformed(crit: bytes) -> None:
    # Two libraries raise TypeError here, before anything is authenticated.
    assert _code(b'{"alg":"ES256","crit":' + crit + b"}") == "token_malformed"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{}",
        b"[]",
        b'{"alg":null}',
        b'{"alg":1}',
        b'{"alg":["ES256"]}',
        b'{"alg":"ES256","kid":1}',
        b'{"alg":"ES256","kid":null}',
        b'{"alg":"ES256","typ":["at+jwt"]}',
        b'{"alg":"ES256","jwk":{"kty":"EC"}}',
        b'{"alg":"ES256","jwk":1}',
        b'{"alg":"ES256","b64":false}',
        b'{"alg":"ES256","b64":true}',
        b'{"alg":"ES256","cty":null}',
        b'{"alg":"ES256","jku":["https://evil.example/"]}',
        b'{"alg":"ES256","x5u":1}',
        b'{"alg":"ES256","x5c":"AAAA"}',
        b'{"alg":"ES256","x5t#S256":false}',
        b'{"alg":"ES256","x":"\xff"}',
        b'\xef\xbb\xbf{"alg":"ES256"}',
        b'{"alg":"ES256"}{}',
        b'{"alg":"ES256","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_another_form_is_malformed(octets: bytes) -> None:
    assert _code(octets) == "token_malformed"


@pytest.mark.parametrize("octets", [b'{"alg":"none","alg":"ES256"}', b'{"alg":"ES256","\\u0061lg":"none"}'])
def test_a_member_named_twice_is_refused(octets: bytes) -> None:
    assert _code(octets) == "duplicate_member"
