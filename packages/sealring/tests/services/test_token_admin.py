import json
from typing import Any

import msgspec
import pytest
from joserfc import jwe
from joserfc.jwk import OKPKey
from msgspec.structs import replace

from sealring.protocol.api import Api
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring.protocol.user import User
from sealring.services.desk import Desk
from sealring.services.token_admin import IssueToken, TokenIssued, issue_token
from sealring_verify.jose.base64url import decode

ISSUER = "https://auth.example"
SCOPES = frozenset({"orders:read", "orders:write"})


@pytest.fixture
async def shop(desk: Desk) -> Desk:
    """The APIs `orders` and `stock`; `robot` works in its own name, `site` signs people in, `ada` is one of them."""
    for identifier, scopes in (("orders", SCOPES), ("stock", {"stock:read"}), (ISSUER, {"sessions"})):
        api = Api(identifier=identifier, scopes=dict.fromkeys(scopes, "…"), claims=("roles",), created_at=Instant(1))
        await desk.store.apis.add(api, events=[])
    allowed = {"orders": SCOPES, "stock": frozenset({"stock:read"}), ISSUER: frozenset({"sessions"})}
    for client_id, grant in (("robot", True), ("site", False)):
        client = Client(
            client_id=client_id,
            name=client_id,
            type="confidential",
            client_credentials=grant,
            allowed=allowed,
            epoch=7,
            created_at=Instant(1),
        )
        await desk.store.clients.add(client, events=[])
    ada = User(sub="a-1", username="Ada", roles=("buyer",), claims={}, epoch=5, created_at=Instant(1))
    await desk.store.users.add(ada, username_key="ada", email_key=None, password_hash=None, events=[])
    return desk


async def issue(desk: Desk, **changes: Any) -> TokenIssued | OAuthError:  # noqa: ANN401 -- members of the request
    halted = changes.pop("halted", False)
    members = {"client_id": "robot", "api": "orders", "scope": "orders:read", "reason": "ticket 4711", **changes}
    return await issue_token(
        IssueToken(**members),
        store=desk.store,
        signer=desk.signer,
        clock=desk.clock,
        randomness=desk.randomness,
        actor="cli:root",
        halted=halted,
    )


async def issued(desk: Desk, **changes: Any) -> tuple[TokenIssued, dict[str, Any]]:  # noqa: ANN401 -- as above
    outcome = await issue(desk, **changes)
    assert isinstance(outcome, TokenIssued), outcome
    claims: dict[str, Any] = json.loads(decode(outcome.access_token.reveal().split(".")[1].encode()))
    return outcome, claims


async def events(desk: Desk) -> list[Any]:
    return [recorded.event for _, recorded in await desk.store.audit.list_events(after=0, limit=100)]


async def test_a_client_gets_a_token_in_its_own_name(shop: Desk) -> None:
    outcome, claims = await issued(shop)
    assert (claims["sub"], claims["client_id"], claims["aud"], claims["scope"]) == (
        "robot",
        "robot",
        "orders",
        "orders:read",
    )
    assert {"sid", "amr", "auth_time", "sub_epoch"}.isdisjoint(claims)
    assert outcome.sid is None
    assert await shop.store.sessions.count_live(sub=None, now=shop.clock()) == 0


async def test_a_persons_token_has_a_session_that_ends_it_and_nothing_that_renews_it(shop: Desk) -> None:
    outcome, claims = await issued(shop, client_id="site", user="ada")
    assert (claims["sub"], claims["client_id"], claims["roles"]) == ("a-1", "site", ["buyer"])
    (session,) = await shop.store.sessions.list_live(sub="a-1", now=shop.clock(), limit=10)
    assert session.sid == outcome.sid == claims["sid"]
    assert (session.network, session.user_agent) == (None, "sealring tokens issue")
    assert session.expires_at == shop.clock() + outcome.expires_in * 1000
    assert "refresh_token" not in TokenIssued.__struct_fields__


async def test_a_persons_token_says_that_nobody_signed_in(shop: Desk) -> None:
    _, claims = await issued(shop, client_id="site", user="sub:a-1")
    assert claims["amr"] == ["operator"]
    assert "auth_time" not in claims


@pytest.mark.parametrize("user", [None, "ada"])
async def test_the_audit_has_the_reason_and_never_the_token(shop: Desk, user: str | None) -> None:
    outcome, _ = await issued(shop, user=user, reason="  ticket 4711: reindex ")
    (event,) = await events(shop)
    assert (event.event, event.actor, event.sub, event.client_id, event.sid, event.api) == (
        "token_issued",
        "cli:root",
        outcome.sub,
        "robot",
        outcome.sid,
        "orders",
    )
    assert event.details == {
        "jti": outcome.jti,
        "scope": "orders:read",
        "lifetime": 600,
        "reason": "ticket 4711: reindex",
    }
    assert outcome.access_token.reveal() not in repr((event, outcome))


@pytest.mark.parametrize("user", [None, "ada"])
async def test_a_token_may_live_shorter_than_the_api_says_and_never_longer(shop: Desk, user: str | None) -> None:
    outcome, claims = await issued(shop, user=user, lifetime=60)
    assert outcome.expires_in == claims["exp"] - claims["iat"] == 60
    for lifetime in (0, -1, 601):
        refused = await issue(shop, user=user, lifetime=lifetime)
        assert isinstance(refused, OAuthError)
        assert refused.code == "invalid_parameter"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"api": ISSUER, "scope": "sessions"}, "issuer_api_refused"),
        ({"api": ISSUER, "scope": "sessions", "user": "ada"}, "issuer_api_refused"),
        ({"scope": "sessions"}, "invalid_scope"),
        ({"scope": "orders:read sessions", "user": "ada"}, "invalid_scope"),
        ({"scope": "orders:read stock:read"}, "invalid_scope"),
        ({"scope": "orders:delete"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"api": "nowhere"}, "invalid_target"),
        ({"client_id": "nobody"}, "unknown_client"),
        ({"client_id": "site"}, "grant_not_registered"),
        ({"user": "bob"}, "unknown_user"),
        ({"reason": ""}, "invalid_parameter"),
        ({"reason": " \t "}, "invalid_parameter"),
        ({"reason": "x" * 257}, "invalid_parameter"),
        ({"reason": "two\nlines"}, "invalid_parameter"),
        ({"reason": "\x1b[31mred"}, "invalid_parameter"),
        ({"halted": True}, "store_rolled_back"),
    ],
)
async def test_what_may_not_be_issued_leaves_neither_token_nor_trace(
    shop: Desk, changes: dict[str, Any], code: str
) -> None:
    refused = await issue(shop, **changes)
    assert isinstance(refused, OAuthError)
    assert refused.code == code
    assert await events(shop) == []
    assert await shop.store.sessions.count_live(sub=None, now=shop.clock()) == 0


async def test_a_reason_may_have_256_characters(shop: Desk) -> None:
    assert isinstance(await issue(shop, reason="ü" * 256), TokenIssued)


async def test_the_disabled_get_no_token_and_are_told_so(shop: Desk) -> None:
    await shop.store.users.set_disabled("a-1", disabled=True, now=shop.clock(), events=[])
    refused = await issue(shop, user="ada")
    assert isinstance(refused, OAuthError)
    assert refused.code == "account_disabled"
    await shop.store.clients.set_disabled("robot", disabled=True, now=shop.clock(), events=[])
    for user in (None, "ada"):
        refused = await issue(shop, user=user)
        assert isinstance(refused, OAuthError)
        assert refused.code == "client_disabled"


async def test_a_token_over_the_apis_budget_opens_no_session(shop: Desk) -> None:
    orders = await shop.store.apis.find("orders")
    assert orders is not None
    small = msgspec.structs.replace(orders, byte_budget=256)
    await shop.store.apis.replace(small, read=orders, events=[])
    for user in (None, "ada"):
        refused = await issue(shop, user=user)
        assert isinstance(refused, OAuthError)
        assert refused.code == "access_token_over_budget"
    assert await shop.store.sessions.count_live(sub=None, now=shop.clock()) == 0


@pytest.mark.parametrize("user", [None, "ada"])
async def test_a_token_for_an_api_with_keys_of_its_own_is_encrypted_and_its_jti_is_told(
    shop: Desk, user: str | None
) -> None:
    key = OKPKey.generate_key("X25519", {"kid": "k", "use": "enc"})
    read = await shop.store.apis.find("orders")
    assert read is not None
    public = json.dumps({"keys": [key.as_dict(private=False)]})
    encrypting = replace(read, encryption_jwks=public)
    await shop.store.apis.replace(encrypting, read=read, events=[])
    outcome = await issue(shop, user=user)
    assert isinstance(outcome, TokenIssued), outcome
    token = outcome.access_token.reveal()
    within = jwe.decrypt_compact(token, key, algorithms=["ECDH-ES+A256KW", "A256GCM"]).plaintext
    assert within is not None
    assert json.loads(decode(within.split(b".")[1]))["jti"] == outcome.jti
    # Over the budget only when it is encrypted: no token, no session, no event.
    before = len(await events(shop))
    tight = replace(encrypting, byte_budget=len(token) - 1)
    await shop.store.apis.replace(tight, read=encrypting, events=[])
    refused = await issue(shop, user=user)
    assert isinstance(refused, OAuthError)
    assert refused.code == "access_token_over_budget"
    assert len(await events(shop)) == before
