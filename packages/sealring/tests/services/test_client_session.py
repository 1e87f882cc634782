import msgspec

from sealring.ports import MacKey, NewSession
from sealring.protocol.api import Api
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client, ClientLogout, CodeFlow
from sealring.protocol.scope import Target
from sealring.protocol.user import User
from sealring.services.client_session import SessionTerms, new_session, open_family

ISSUER = "https://auth.example"
CLIENT = Client(
    client_id="shop",
    name="Shop",
    type="confidential",
    allowed={"orders": frozenset({"orders:read"})},
    code_flow=CodeFlow(redirect_uris=("https://shop.example/callback",)),
    epoch=1,
    created_at=0,
)
SCOPE = frozenset({"openid", "orders:read"})
TERMS = SessionTerms(
    user=User(sub="ada", claims={}, epoch=1, created_at=0),
    auth_time=1000,
    amr=("pwd",),
    claims={},
    scope=SCOPE,
    target=Target(audience="orders", scope=frozenset({"orders:read"})),
    api=Api(identifier="orders", scopes={"orders:read": ""}, created_at=0),
    sso_id="sso-1",
    acr="1",
    requested_claims=b"{}",
)


def lay_out(client: Client = CLIENT) -> NewSession:
    family = open_family(now=5000, randomness=bytes)
    mac_key = MacKey(mac_key_id=3, secret=b"", opaque_secret=b"")
    caller = Caller(network="192.0.2.0/24", user_agent="Firefox")
    return new_session(TERMS, client, caller, sid="sid", family=family, mac_key=mac_key, issuer=ISSUER, now=5000)


def test_the_apis_of_a_session_are_all_that_own_one_of_its_scopes() -> None:
    assert lay_out().resources == {"orders", ISSUER}


def test_a_session_knows_the_browser_session_and_the_request_that_it_came_from() -> None:
    session = lay_out()
    assert (session.sso_id, session.acr, session.requested_claims) == ("sso-1", "1", b"{}")


def test_a_client_that_wants_to_know_of_log_outs_is_owed_them() -> None:
    assert not lay_out().backchannel_logout
    logout = ClientLogout(backchannel_logout_uri="https://shop.example/logout")
    assert lay_out(msgspec.structs.replace(CLIENT, logout=logout)).backchannel_logout


def test_without_a_refresh_token_a_session_lasts_as_long_as_its_access_token() -> None:
    session = lay_out(msgspec.structs.replace(CLIENT, refresh=False))
    assert (session.idle_expires_at, session.absolute_expires_at) == (605_000, 605_000)
