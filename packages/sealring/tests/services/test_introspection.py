from types import SimpleNamespace

import msgspec
import pytest

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


async def test_an_expired_token_is_inactive(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["access_token"]
    site.pass_time(599)
    assert (await site.inspect(token))["active"]
    site.pass_time(1)
    assert await site.inspect(token) == INACTIVE


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
