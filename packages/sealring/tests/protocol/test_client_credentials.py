import msgspec
import pytest

from sealring.protocol.client import Client
from sealring.protocol.client_authentication import NoSecret
from sealring.protocol.client_credentials import client_stands_behind, decide_client_target, is_client_token
from sealring.protocol.errors import OAuthError
from sealring.protocol.scope import Target
from sealring.protocol.token_request import ClientCredentialsRequest
from sealring_verify.claims import AccessToken

ISSUER = "https://id.example"
ROBOT = Client(
    client_id="robot",
    name="Robot",
    type="confidential",
    client_credentials=True,
    allowed={
        "orders": frozenset({"read", "orders:write"}),
        "bills": frozenset({"read", "bills:pay"}),
        ISSUER: frozenset({"sessions"}),
    },
    epoch=7,
    created_at=1,
)
TOKEN = AccessToken(
    iss=ISSUER,
    sub="robot",
    aud=("orders",),
    exp=2,
    iat=1,
    jti="j",
    client_id="robot",
    scope=frozenset(),
    client_epoch=7,
)


def decided(scope: str | None, resource: str | None = None) -> Target | OAuthError:
    scopes = None if scope is None else frozenset(scope.split())
    request = ClientCredentialsRequest(credentials=NoSecret(client_id="robot"), scope=scopes, resource=resource)
    return decide_client_target(request, ROBOT, issuer=ISSUER)


def test_the_token_is_for_the_one_api_that_owns_the_scopes_or_the_one_that_is_named() -> None:
    assert decided("orders:write read") == Target(audience="orders", scope=frozenset({"orders:write", "read"}))
    assert decided("read", "bills") == Target(audience="bills", scope=frozenset({"read"}))


@pytest.mark.parametrize(
    ("scope", "resource", "error"),
    [
        (None, None, "invalid_scope"),
        (None, "orders", "invalid_scope"),
        ("parcels:read", None, "invalid_scope"),
        ("read", None, "invalid_target"),
        ("orders:write bills:pay", None, "invalid_target"),
        ("orders:write", "bills", "invalid_target"),
        ("orders:write", "parcels", "invalid_target"),
        # People look after their sessions there, and a client has none.
        ("sessions", None, "invalid_scope"),
        ("sessions", ISSUER, "invalid_scope"),
        ("read", ISSUER, "invalid_target"),
    ],
)
def test_no_other_api_and_no_other_scope_is_given(scope: str | None, resource: str | None, error: str) -> None:
    refused = decided(scope, resource)
    assert isinstance(refused, OAuthError)
    assert refused.error == error


@pytest.mark.parametrize("changes", [{"sid": "s"}, {"sub_epoch": 1}, {"sub": "u1"}, {"client_id": "shop"}])
def test_a_token_with_a_session_or_a_person_is_no_clients_own(changes: dict[str, object]) -> None:
    assert is_client_token(TOKEN)
    assert not is_client_token(msgspec.structs.replace(TOKEN, **changes))
    assert not client_stands_behind(msgspec.structs.replace(TOKEN, **changes), ROBOT, audience="orders")


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "shop"},
        {"disabled_at": 1},
        {"epoch": 8},
        {"epoch": 6},
        {"client_credentials": False},
        {"allowed": {"bills": frozenset({"read"})}},
    ],
)
def test_a_client_stands_behind_its_token_as_long_as_it_would_get_it_again(changes: dict[str, object]) -> None:
    assert client_stands_behind(TOKEN, ROBOT, audience="orders")
    assert not client_stands_behind(TOKEN, msgspec.structs.replace(ROBOT, **changes), audience="orders")


def test_a_token_without_an_epoch_has_no_client_behind_it() -> None:
    assert not client_stands_behind(msgspec.structs.replace(TOKEN, client_epoch=None), ROBOT, audience="orders")
