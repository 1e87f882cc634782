import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.errors import OAuthError
from sealring.protocol.requested_claims import RequestedClaims, parse_requested_claims


def test_names_are_read_from_both_places_whatever_is_said_of_them() -> None:
    parsed = parse_requested_claims(
        b'{"userinfo":{"name":{"essential":true},"email":null},"id_token":{"auth_time":{"essential":true}},"x":1}'
    )
    assert parsed == RequestedClaims(userinfo=frozenset({"name", "email"}), id_token=frozenset({"auth_time"}))


def test_a_wanted_person_and_a_wanted_kind_of_log_in_are_read() -> None:
    parsed = parse_requested_claims(b'{"id_token":{"sub":{"value":"ada"},"acr":{"values":["2","1",3]}}}')
    assert isinstance(parsed, RequestedClaims)
    assert (parsed.sub, parsed.acr_values) == ("ada", ("2", "1"))
    assert parse_requested_claims(b'{"id_token":{"acr":{"value":"2"}}}') == RequestedClaims(
        id_token=frozenset({"acr"}), acr_values=("2",)
    )


def test_nothing_may_be_asked_for() -> None:
    assert parse_requested_claims(b"{}") == RequestedClaims()
    assert parse_requested_claims(b'{"userinfo":null}') == RequestedClaims()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b'{"userinfo":[]}',
        b'{"userinfo":{"name":"yes"}}',
        b'{"userinfo":{},"userinfo":{}}',
        b'{"id_token":{"a":' + b"[" * 5000,
        b"{" + b" " * 4096 + b"}",
        b'{"userinfo":{' + b",".join(b'"c%d":null' % number for number in range(65)) + b"}}",
        b"\xff",
    ],
)
def test_what_is_no_object_of_requested_claims_is_refused(text: bytes) -> None:
    refused = parse_requested_claims(text)
    assert isinstance(refused, OAuthError)
    assert refused.code == "invalid_parameter"


@given(st.binary(max_size=200))
def test_no_octets_raise(text: bytes) -> None:
    assert isinstance(parse_requested_claims(text), RequestedClaims | OAuthError)
