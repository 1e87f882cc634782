import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.client import Client
from sealring.protocol.client_registration import (
    ClientChange,
    ClientRegistration,
    parse_client_change,
    parse_client_registration,
)
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant

NOW = Instant(1_700_000_000_000)
KNOWN = {"orders": frozenset({"orders:read", "orders:write"})}
SHOP = ClientRegistration(client_id="shop", type="confidential", allowed={"orders": ("orders:read",)})


def parsed(**members: object) -> Client | OAuthError:
    return parse_client_registration(msgspec.structs.replace(SHOP, **members), known=KNOWN, now=NOW)


def code_of(outcome: Client | OAuthError) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


def test_a_registration_becomes_a_client_without_secrets_whose_epoch_is_the_time() -> None:
    client = parsed(name="The shop", first_party=True, permissions=("sessions:create",))
    assert isinstance(client, Client)
    assert client.allowed == {"orders": frozenset({"orders:read"})}
    assert (client.epoch, client.secret_digests, client.name) == (1_700_000_000, (), "The shop")


def test_a_client_without_a_name_is_shown_by_its_id() -> None:
    client = parsed()
    assert isinstance(client, Client)
    assert client.name == "shop"


@pytest.mark.parametrize(
    "members",
    [
        {"client_id": ""},
        {"client_id": "a" * 65},
        {"client_id": "shop name"},
        {"client_id": "shöp"},
        {"client_id": "shop\n"},
        {"name": ""},
        {"name": "a" * 129},
        {"name": "evil\x1b[2J"},
        {"name": "\u202egnp.exe"},
        {"permissions": ("everything",)},
        {"type": "public", "permissions": ("sessions:create",)},
        {"type": "public", "client_credentials": True},
        {"type": "public", "token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "none"},
        {"token_endpoint_auth_method": "client_secret_post", "first_party": True},
        {"token_endpoint_auth_method": "client_secret_post", "permissions": ("sessions:revoke",)},
        {"allowed": {"orders": ()}},
        {"allowed": {"orders": ("orders:delete",)}},
        {"idle_lifetime": 0},
        {"idle_lifetime": 100, "absolute_lifetime": 99},
        {"absolute_lifetime": 10**12},
        {"grace_window": -1},
        {"grace_window": 61},
        {"origins": tuple(f"https://app{n}.example" for n in range(33))},
    ],
)
def test_a_registration_that_does_not_hold_together_is_refused(members: dict[str, object]) -> None:
    assert code_of(parsed(**members)) == "invalid_registration"


def test_an_api_that_is_not_registered_is_named_in_the_refusal() -> None:
    refused = parsed(allowed={"parcels": ("parcels:read",)})
    assert code_of(refused) == "unknown_api"
    assert isinstance(refused, OAuthError)
    assert "parcels" in refused.description


def test_cookie_delivery_is_for_public_clients_with_pages() -> None:
    page: dict[str, object] = {"type": "public", "permissions": (), "client_credentials": False}
    origins = ("https://shop.example",)
    kept = parsed(**page, origins=origins, token_delivery="cookie")
    assert isinstance(kept, Client)
    assert kept.token_delivery == "cookie"
    assert code_of(parsed(**page, origins=(), token_delivery="cookie")) == "invalid_registration"
    assert code_of(parsed(origins=origins, token_delivery="cookie")) == "invalid_registration"


def test_a_change_leaves_what_it_does_not_name() -> None:
    client = parsed(first_party=True, grace_window=20)
    assert isinstance(client, Client)
    changed = parse_client_change(client, ClientChange(client_id="shop", refresh=False, origins=()), known=KNOWN)
    assert isinstance(changed, Client)
    assert changed == msgspec.structs.replace(client, refresh=False)


def test_a_change_is_judged_as_a_whole() -> None:
    client = parsed(idle_lifetime=100, absolute_lifetime=200)
    assert isinstance(client, Client)
    change = ClientChange(client_id="shop", absolute_lifetime=50)
    assert code_of(parse_client_change(client, change, known=KNOWN)) == "invalid_registration"


def test_a_public_client_gets_no_permission_by_a_change_either() -> None:
    client = parsed(type="public")
    assert isinstance(client, Client)
    change = ClientChange(client_id="shop", permissions=("sessions:revoke",))
    assert code_of(parse_client_change(client, change, known=KNOWN)) == "invalid_registration"


@pytest.mark.parametrize(
    ("members", "method"),
    [
        ({}, "client_secret_basic"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "client_secret_basic"),
        ({"token_endpoint_auth_method": "client_secret_post"}, "client_secret_post"),
        ({"type": "public"}, "none"),
        ({"type": "public", "token_endpoint_auth_method": "none"}, "none"),
    ],
)
def test_a_client_has_one_authentication_method(members: dict[str, object], method: str) -> None:
    client = parsed(**members)
    assert isinstance(client, Client)
    assert client.token_endpoint_auth_method == method
    assert not client.client_credentials


def test_grant_and_method_are_changed_like_everything_else() -> None:
    client = parsed()
    assert isinstance(client, Client)
    change = ClientChange(client_id="shop", client_credentials=True, token_endpoint_auth_method="client_secret_post")
    changed = parse_client_change(client, change, known=KNOWN)
    assert changed == msgspec.structs.replace(client, client_credentials=True, secret_method="client_secret_post")
    assert isinstance(changed, Client)
    assert parse_client_change(changed, ClientChange(client_id="shop"), known=KNOWN) == changed
    to_first_party = ClientChange(client_id="shop", first_party=True)
    assert code_of(parse_client_change(changed, to_first_party, known=KNOWN)) == "invalid_registration"


@given(
    client_id=st.text(max_size=70),
    name=st.text(max_size=140),
    idle=st.integers(-5, 10**9),
    absolute=st.integers(-5, 10**9),
    grace=st.integers(-5, 99),
)
def test_whatever_is_registered_keeps_the_promises_of_its_type(
    *, client_id: str, name: str, idle: int, absolute: int, grace: int
) -> None:
    client = parsed(client_id=client_id, name=name, idle_lifetime=idle, absolute_lifetime=absolute, grace_window=grace)
    if isinstance(client, Client):
        assert client.client_id.isascii()
        assert client.name.isprintable()
        assert 1 <= client.idle_lifetime <= client.absolute_lifetime
        assert 0 <= client.grace_window <= 60
