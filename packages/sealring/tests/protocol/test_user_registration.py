import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.access_token import REGISTERED_CLAIMS
from sealring.protocol.errors import OAuthError
from sealring.protocol.user_registration import parse_custom_claims, parse_roles


def code_of(outcome: object) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


def test_roles_are_given_back_once_each_and_in_one_order() -> None:
    assert parse_roles(["clerk", "admin", "clerk"]) == ("admin", "clerk")


@pytest.mark.parametrize("roles", [[""], ["a" * 65], ["two words"], ["évil"], [f"r{n}" for n in range(65)]])
def test_other_roles_are_refused(roles: list[str]) -> None:
    assert code_of(parse_roles(roles)) == "invalid_parameter"


@pytest.mark.parametrize("name", sorted(REGISTERED_CLAIMS))
def test_no_custom_claim_takes_a_registered_name(name: str) -> None:
    assert code_of(parse_custom_claims({name: 1})) == "reserved_claim"


@pytest.mark.parametrize(
    "claims",
    [
        {"": 1},
        {"two words": 1},
        {"plan": "nul\x00"},
        {"plan": "\ud800"},
        {"plan": {"deep\x00": 1}},
        {"plan": ["x" * 5000]},
        {"plan": float("nan")},
    ],
)
def test_claims_that_cannot_be_stored_or_are_too_large_are_refused(claims: dict[str, object]) -> None:
    assert code_of(parse_custom_claims(claims)) == "invalid_parameter"


def test_claims_nested_too_deeply_are_refused() -> None:
    nested: object = 1
    for _ in range(20):
        nested = [nested]
    assert code_of(parse_custom_claims({"plan": nested})) == "invalid_parameter"


@given(
    st.dictionaries(st.text(max_size=8), st.recursive(st.text() | st.integers(), st.lists, max_leaves=5), max_size=4)
)
def test_accepted_claims_come_back_from_their_json(claims: dict[str, object]) -> None:
    encoded = parse_custom_claims(claims)
    if isinstance(encoded, bytes):
        assert msgspec.json.decode(encoded) == claims
        assert not claims.keys() & REGISTERED_CLAIMS
