import json
from types import SimpleNamespace

import msgspec
import pytest

from sealring.protocol.errors import OAuthError
from sealring.services.key_admin import KeysRevoked, RevokeKey, revoke_key
from sealring_verify.jose import base64url
from sealring_verify.jose.jws import encode_header, sign_compact
from sealring_verify.symmetric_secret import parse_symmetric_secret

INACTIVE = {"active": False}


async def test_an_api_learns_all_about_a_live_token_of_its_own(site: SimpleNamespace) -> None:
    body = (await site.sign_in()).json()
    told = await site.inspect(body["access_token"])
    assert told.pop("jti")
    assert told == {
        "active": True,
        "iss": "http://localhost:8799",
        "sub": "u1",
        "aud": "orders",
        "client_id": "shop",
        "scope": "orders:read orders:write",
        "exp": site.now // 1000 + 600,
        "iat": site.now // 1000,
        "sid": body["sid"],
        "token_type": "Bearer",
    }


async def test_everything_else_is_inactive_and_nothing_more(site: SimpleNamespace) -> None:
    body = (await site.sign_in()).json()
    bills = (await site.sign_in(scope="bills:read")).json()
    for token in (body["refresh_token"], bills["access_token"], "x", "a.b.c", "\u00e9"):
        assert await site.inspect(token) == INACTIVE
    foreign = await site.http.post("/introspect", data={"token": body["access_token"]}, auth=("bills", "sla_bills"))
    assert foreign.content == b'{"active":false}'


async def test_a_token_that_this_node_signed_is_inactive_under_another_signature(
    site: SimpleNamespace,
) -> None:
    token = (await site.sign_in()).json()["access_token"]
    assert (await site.inspect(token))["active"]
    start, dot, signature = token.rpartition(".")
    for altered in (signature[:-4], signature[4:] + signature[:4], "", signature + "A"):
        assert await site.inspect(start + dot + altered) == INACTIVE


async def test_a_token_that_another_node_signed_is_checked_by_its_signature(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["access_token"]
    stock = await site.store.keys.stock()
    site.opened.house.signer.use(stock.keys)  # forgets what this node has signed
    assert site.opened.house.signer.recall_signed_token(token) is None
    assert (await site.inspect(token))["active"]


async def test_an_expired_token_is_inactive(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["access_token"]
    site.pass_time(599)
    assert (await site.inspect(token))["active"]
    site.pass_time(1)
    assert await site.inspect(token) == INACTIVE


async def test_a_token_that_was_asked_about_before_is_judged_anew_under_other_keys(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["access_token"]
    assert (await site.inspect(token))["active"]
    assert len(site.opened.house.checked_tokens) == 1
    kid = json.loads(base64url.decode(token.split(".")[0].encode()))["kid"]
    outcome = await revoke_key(RevokeKey(kid=kid), desk=site.opened.desk.keys, actor="cli:x")
    assert isinstance(outcome, KeysRevoked)
    assert await site.inspect(token) == INACTIVE


async def test_what_one_api_asked_about_is_not_known_to_another(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["access_token"]
    assert (await site.inspect(token))["active"]
    assert await site.inspect(token, auth=("bills", "sla_bills")) == INACTIVE
    assert (await site.inspect(token))["active"]


async def test_a_disabled_users_token_is_inactive(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["access_token"]
    await site.store.users.set_disabled("u1", disabled=True, now=site.now, events=[])
    assert await site.inspect(token) == INACTIVE


async def test_an_api_learns_about_a_clients_own_token_and_of_no_session(site: SimpleNamespace) -> None:
    token = (await site.token(scope="orders:read")).json()["access_token"]
    told = await site.inspect(token)
    assert told.pop("jti")
    assert told == {
        "active": True,
        "iss": "http://localhost:8799",
        "sub": "robot",
        "aud": "orders",
        "client_id": "robot",
        "scope": "orders:read",
        "exp": site.now // 1000 + 600,
        "iat": site.now // 1000,
        "token_type": "Bearer",
    }
    foreign = await site.http.post("/introspect", data={"token": token}, auth=("bills", "sla_bills"))
    assert foreign.content == b'{"active":false}'


@pytest.mark.parametrize("changes", [{"client_credentials": False}, {"allowed": {"bills": frozenset({"bills:read"})}}])
async def test_a_clients_own_token_is_inactive_where_the_client_may_have_it_no_more(
    site: SimpleNamespace, changes: dict[str, object]
) -> None:
    token = (await site.token(scope="orders:read")).json()["access_token"]
    read = await site.store.clients.find("robot")
    await site.store.clients.replace(msgspec.structs.replace(read, **changes), read=read, events=[])
    assert await site.inspect(token) == INACTIVE


async def test_a_clients_own_token_ends_with_its_client(site: SimpleNamespace) -> None:
    token = (await site.token(scope="orders:read")).json()["access_token"]
    await site.store.clients.set_disabled("robot", disabled=True, now=site.now, events=[])
    assert await site.inspect(token) == INACTIVE
    # Enabled again it is another epoch.
    await site.store.clients.set_disabled("robot", disabled=False, now=site.now, events=[])
    assert await site.inspect(token) == INACTIVE
    fresh = (await site.token(scope="orders:read")).json()["access_token"]
    assert (await site.inspect(fresh))["active"]
    await site.store.clients.delete("robot", now=site.now, events=[])
    assert await site.inspect(fresh) == INACTIVE


async def test_a_clients_own_token_expires(site: SimpleNamespace) -> None:
    token = (await site.token(scope="orders:read")).json()["access_token"]
    site.pass_time(600)
    assert await site.inspect(token) == INACTIVE


def altered(token: str, secret: str, **changes: object) -> str:
    """Sign other claims under the same secret, as its API could; `...` leaves one out. The true seal stays in them."""
    key = parse_symmetric_secret(secret)
    claims = {**json.loads(base64url.decode(token.split(".")[1].encode())), **changes}
    left = {name: value for name, value in claims.items() if value is not ...}
    header = encode_header(typ="at+jwt", alg="HS256", kid=key.kid)
    return sign_compact(json.dumps(left, separators=(",", ":")).encode(), key=key, header=header)


async def test_an_api_with_a_secret_learns_all_about_a_token_of_its_own_and_no_other_api_anything(
    site: SimpleNamespace,
) -> None:
    made = await site.add_symmetric_api()
    own = ("parcels", made.api_key.reveal())
    body = (await site.sign_in(scope="parcels:read")).json()
    told = await site.inspect(body["access_token"], auth=own)
    assert (told["active"], told["sid"], told["aud"], told["scope"]) == (True, body["sid"], "parcels", "parcels:read")
    assert await site.inspect(body["access_token"]) == INACTIVE
    orders = (await site.sign_in()).json()["access_token"]
    assert await site.inspect(orders, auth=own) == INACTIVE
    await site.http.request("DELETE", "/session", json={"refresh_token": body["refresh_token"]})
    assert await site.inspect(body["access_token"], auth=own) == INACTIVE


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "u2"},
        {"client_id": "other"},
        {"sid": "invented"},
        {"jti": "invented"},
        {"scope": "parcels:read parcels:write"},
        {"scope": "parcels:read sessions"},
        {"aud": ["parcels", "orders"]},
        {"exp": 1_700_000_000 + 3600},
        {"exp": 1_700_000_000 + 601},
        {"iat": 1_700_000_000 - 1},
        {"roles": ["admin"]},
        {"sub_epoch": 4},
        {"amr": ["pwd", "otp"]},
        {"auth_time": 1_700_000_000 - 1},
        {"admin": True},
        {"seal": ...},
        {"seal": "A" * 22},
        {"seal": ""},
    ],
)
async def test_an_api_with_a_secret_learns_nothing_about_what_it_minted_itself(
    site: SimpleNamespace, changes: dict[str, object]
) -> None:
    made = await site.add_symmetric_api()
    secret, own = made.symmetric.symmetric_secret.reveal(), ("parcels", made.api_key.reveal())
    token = (await site.sign_in(scope="parcels:read")).json()["access_token"]
    assert (await site.inspect(altered(token, secret), auth=own))["active"]
    assert await site.inspect(altered(token, secret, **changes), auth=own) == INACTIVE


async def test_a_token_is_not_known_under_another_apis_secret(site: SimpleNamespace) -> None:
    parcels, letters = await site.add_symmetric_api(), await site.add_symmetric_api("letters")
    token = (await site.sign_in(scope="parcels:read")).json()["access_token"]
    moved = altered(token, letters.symmetric.symmetric_secret.reveal())
    for made in (parcels, letters):
        assert await site.inspect(moved, auth=(made.api.identifier, made.api_key.reveal())) == INACTIVE


async def test_an_api_learns_all_that_stands_in_an_opaque_token_of_its_own_and_nobody_else_anything(
    site: SimpleNamespace,
) -> None:
    made = await site.add_opaque_api(claims=("roles", "email"))
    other = await site.add_opaque_api("cards")
    await site.store.users.set_claims("u1", b'{"email":"ada@example.com","plan":"gold"}', events=[])
    body = (await site.sign_in(scope="letters:read")).json()
    assert body["access_token"].startswith("slo_")
    told = await site.inspect(body["access_token"], auth=("letters", made.api_key.reveal()))
    assert told.pop("jti")
    assert told == {
        "active": True,
        "iss": "http://localhost:8799",
        "sub": "u1",
        "aud": "letters",
        "client_id": "shop",
        "scope": "letters:read",
        "exp": site.now // 1000 + 600,
        "iat": site.now // 1000,
        "sid": body["sid"],
        "sub_epoch": 3,
        "client_epoch": 1,
        "auth_time": site.now // 1000,
        "amr": ["pwd"],
        "roles": ["boss"],
        "email": "ada@example.com",
        "token_type": "Bearer",
    }
    for auth in (("orders", "sla_orders"), ("bills", "sla_bills"), ("cards", other.api_key.reveal())):
        assert await site.inspect(body["access_token"], auth=auth) == INACTIVE


async def test_an_api_takes_tokens_of_its_own_format_alone(site: SimpleNamespace) -> None:
    made = await site.add_opaque_api()
    signer = site.opened.house.signer
    token = (await site.sign_in(scope="letters:read")).json()["access_token"]
    claims = signer.open_opaque_token(token)
    auth = ("letters", made.api_key.reveal())
    assert (await site.inspect(token, auth=auth))["active"]
    assert await site.inspect(signer.sign_access_token(claims), auth=auth) == INACTIVE
    orders = (await site.sign_in()).json()["access_token"]
    payload = base64url.decode(orders.split(".")[1].encode())
    assert await site.inspect(signer.seal_opaque_token(payload, randomness=site.opened.desk.randomness)) == INACTIVE


async def test_an_opaque_token_is_inactive_when_it_its_session_its_client_or_its_key_ended(
    site: SimpleNamespace,
) -> None:
    made = await site.add_opaque_api()
    auth = ("letters", made.api_key.reveal())

    async def fresh() -> str:
        return str((await site.sign_in(scope="letters:read")).json()["access_token"])

    given_back = await fresh()
    assert (await site.inspect(given_back, auth=auth))["active"]
    await site.revoke(given_back, auth=("other", "slc_other"))
    assert (await site.inspect(given_back, auth=auth))["active"]
    await site.revoke(given_back)
    assert await site.inspect(given_back, auth=auth) == INACTIVE

    body = (await site.sign_in(scope="letters:read")).json()
    await site.revoke(body["refresh_token"])
    assert await site.inspect(body["access_token"], auth=auth) == INACTIVE

    own = (await site.token(scope="letters:read")).json()["access_token"]
    told = await site.inspect(own, auth=auth)
    assert (told["sub"], told["client_epoch"], "sid" in told, "sub_epoch" in told) == ("robot", 1, False, False)
    await site.store.clients.raise_epoch("robot", now=site.now, events=[])
    assert await site.inspect(own, auth=auth) == INACTIVE

    old = await fresh()
    site.pass_time(600)
    assert await site.inspect(old, auth=auth) == INACTIVE


async def test_an_opaque_token_ends_with_the_key_that_made_it(site: SimpleNamespace) -> None:
    made = await site.add_opaque_api()
    auth = ("letters", made.api_key.reveal())
    token = (await site.token(scope="letters:read")).json()["access_token"]
    assert (await site.inspect(token, auth=auth))["active"]
    house, desk = site.opened.house, site.opened.desk
    held = [key.kid for key in (await site.store.keys.stock()).keys if key.purpose == "mac" and key.state == "active"]
    withdrawn = await revoke_key(RevokeKey(kid=held[0]), desk=desk.keys, actor="cli:root")
    assert not isinstance(withdrawn, OAuthError)
    assert house.signer.open_opaque_token(token) is None
    assert await site.inspect(token, auth=auth) == INACTIVE


async def test_the_longest_opaque_token_can_be_asked_about(site: SimpleNamespace) -> None:
    made = await site.add_opaque_api(byte_budget=15 * 1024, claims=("blob",))
    auth = ("letters", made.api_key.reveal())
    await site.store.users.set_claims("u1", b'{"blob":""}', events=[])
    short = (await site.sign_in(scope="letters:read")).json()["access_token"]
    room = (15 * 1024 - 4) * 3 // 4 - 46 - len(site.opened.house.signer.open_opaque_token(short))
    await site.store.users.set_claims("u1", msgspec.json.encode({"blob": "x" * room}), events=[])
    token = (await site.sign_in(scope="letters:read")).json()["access_token"]
    assert len(token) == 15 * 1024
    assert (await site.inspect(token, auth=auth))["blob"] == "x" * room
