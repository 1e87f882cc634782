from types import SimpleNamespace

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
