import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from sealring.protocol.api import Api, longest_access_token_lifetime
from sealring.protocol.api_registration import ApiChange, ApiRegistration, parse_api_change, parse_api_registration
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant, later

NOW = Instant(1_700_000_000_000)
ORDERS = ApiRegistration(identifier="orders", scopes={"orders:read": "See orders"})


def parsed(**members: object) -> Api | OAuthError:
    return parse_api_registration(msgspec.structs.replace(ORDERS, **members), now=NOW)


def code_of(outcome: Api | OAuthError) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


@pytest.mark.parametrize(
    "identifier", ["orders", "a.b_c-d", "https://api.example.com/orders?v=1", "urn:example:orders"]
)
def test_an_api_is_named_plainly_or_by_an_absolute_uri(identifier: str) -> None:
    api = parsed(identifier=identifier)
    assert isinstance(api, Api)
    assert (api.identifier, api.access_token_lifetime, api.created_at) == (identifier, 600, NOW)


@pytest.mark.parametrize(
    "members",
    [
        {"identifier": ""},
        {"identifier": "a" * 65},
        {"identifier": "two words"},
        {"identifier": "https://api.example.com/#orders"},
        {"identifier": "https://api.example.com/<orders>"},
        {"scopes": {}},
        {"scopes": {"two words": ""}},
        {"scopes": {'quo"te': ""}},
        {"scopes": {"": ""}},
        {"scopes": {"openid": "Say who you are"}},
        {"scopes": {"orders:read": "evil\x1b[2J"}},
        {"scopes": {"orders:read": "a" * 257}},
        {"scopes": {f"orders:{n}": "" for n in range(65)}},
        {"byte_budget": 511},
        {"byte_budget": 16385},
        {"claims": ("two words",)},
        {"claims": ("plan", "plan")},
        {"claims": tuple(f"claim{n}" for n in range(33))},
        {"access_token_lifetime": 0},
        {"access_token_lifetime": 10**9, "insecure_long_access_tokens": True},
    ],
)
def test_a_registration_that_does_not_hold_together_is_refused(members: dict[str, object]) -> None:
    assert code_of(parsed(**members)) == "invalid_registration"


def test_access_tokens_over_an_hour_need_the_dangerous_option() -> None:
    assert isinstance(parsed(access_token_lifetime=3600), Api)
    assert code_of(parsed(access_token_lifetime=3601)) == "long_access_tokens_refused"
    assert isinstance(parsed(access_token_lifetime=3601, insecure_long_access_tokens=True), Api)


@pytest.mark.parametrize("claim", ["sub", "aud", "scope", "sub_epoch", "groups", "administrator"])
def test_registered_claims_are_refused(claim: str) -> None:
    assert code_of(parsed(claims=(claim,))) == "reserved_claim"


def test_roles_may_reach_tokens() -> None:
    assert isinstance(parsed(claims=("roles", "plan")), Api)


@pytest.mark.parametrize("claim", ["email", "phone_number", "birthdate", "address"])
def test_personal_data_in_a_signed_token_needs_the_dangerous_option(claim: str) -> None:
    assert code_of(parsed(claims=(claim,))) == "personal_claims_refused"
    assert isinstance(parsed(claims=(claim,), insecure_allow_personal_claims=True), Api)


def test_a_change_leaves_what_it_does_not_name() -> None:
    api = parsed(claims=("roles",), byte_budget=1024)
    assert isinstance(api, Api)
    changed = parse_api_change(api, ApiChange(identifier="orders", byte_budget=2048), now=NOW)
    assert changed == msgspec.structs.replace(api, byte_budget=2048)


def test_a_shortened_lifetime_is_remembered_for_a_day() -> None:
    api, day = parsed(access_token_lifetime=600), 24 * 3600
    for lifetime, at in ((60, NOW), (30, later(NOW, 10)), (45, later(NOW, 20))):
        assert isinstance(api, Api)
        changed = parse_api_change(api, ApiChange(identifier="orders", access_token_lifetime=lifetime), now=at)
        assert isinstance(changed, Api)
        api = changed
    assert isinstance(api, Api)
    assert longest_access_token_lifetime(api, now=later(NOW, day - 1)) == 600
    assert longest_access_token_lifetime(api, now=later(NOW, day)) == 45


def test_withdrawing_a_dangerous_option_needs_its_use_withdrawn_too() -> None:
    api = parsed(access_token_lifetime=7200, insecure_long_access_tokens=True)
    assert isinstance(api, Api)
    change = ApiChange(identifier="orders", insecure_long_access_tokens=False)
    assert code_of(parse_api_change(api, change, now=NOW)) == "long_access_tokens_refused"


@given(st.text(max_size=80), st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3))
def test_whatever_is_registered_can_stand_in_a_token_and_on_a_screen(identifier: str, scopes: dict[str, str]) -> None:
    api = parsed(identifier=identifier, scopes=scopes)
    if isinstance(api, Api):
        assert api.identifier.isascii()
        assert "#" not in api.identifier
        assert all(name.isascii() and " " not in name and '"' not in name for name in api.scopes)
        assert all(description.isprintable() for description in api.scopes.values())


def test_the_tokens_of_an_api_are_of_one_format_for_good() -> None:
    api = parsed(access_token_format="opaque")
    assert isinstance(api, Api)
    assert api.access_token_format == "opaque"
    assert "access_token_format" not in ApiChange.__struct_fields__
    changed = parse_api_change(api, ApiChange(identifier="orders", access_token_lifetime=60), now=NOW)
    assert isinstance(changed, Api)
    assert changed.access_token_format == "opaque"


@pytest.mark.parametrize("alg", ["RS256", "PS256", "Ed25519", "HS256"])
def test_an_opaque_token_is_not_signed(alg: str) -> None:
    assert code_of(parsed(access_token_format="opaque", access_token_signing_alg=alg)) == "invalid_registration"


def test_an_opaque_token_fits_the_form_that_asks_about_it() -> None:
    assert isinstance(parsed(access_token_format="opaque", byte_budget=15 * 1024), Api)
    assert code_of(parsed(access_token_format="opaque", byte_budget=15 * 1024 + 1)) == "invalid_registration"


def test_an_opaque_token_may_hold_personal_data_but_nothing_that_an_introspection_says_itself() -> None:
    assert isinstance(parsed(access_token_format="opaque", claims=("email", "roles")), Api)
    assert code_of(parsed(claims=("email",))) == "personal_claims_refused"
    for name in ("active", "token_type", "username"):
        assert code_of(parsed(access_token_format="opaque", claims=(name,))) == "reserved_claim"


def keys(**changes: object) -> str:
    key = OKPKey.generate_key("X25519", {"kid": "k", "use": "enc"})
    private = bool(changes.pop("private", False))
    return json.dumps({"keys": [{**key.as_dict(private=private), **changes}]})


def test_tokens_may_be_encrypted_to_the_apis_keys_and_then_hold_personal_data() -> None:
    first, second = keys(), keys()
    api = parsed(encryption_jwks=first, claims=("email",))
    assert isinstance(api, Api)
    assert api.encryption_jwks == first
    changed = parse_api_change(api, ApiChange(identifier="orders", encryption_jwks=second), now=NOW)
    assert isinstance(changed, Api)
    assert changed.encryption_jwks == second


def test_keys_to_encrypt_to_are_refused_in_a_sentence_that_repeats_nothing() -> None:
    private = keys(private=True)
    for refused in (private, keys(use="sig"), "", "{}", " " * 9000, keys(crv="X448")):
        outcome = parsed(encryption_jwks=refused)
        assert code_of(outcome) == "invalid_registration"
        assert isinstance(outcome, OAuthError)
        assert json.loads(private)["keys"][0]["d"] not in str(outcome)
    assert code_of(parsed(encryption_jwks=keys(), access_token_format="opaque")) == "invalid_registration"


def test_no_api_is_encrypted_later() -> None:
    api = parsed()
    assert isinstance(api, Api)
    change = ApiChange(identifier="orders", encryption_jwks=keys())
    assert code_of(parse_api_change(api, change, now=NOW)) == "invalid_registration"
