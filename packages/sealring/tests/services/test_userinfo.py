from types import SimpleNamespace

import pytest


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    claims = b'{"name":"Ada Lovelace","nickname":"countess","tenant":"acme","email":"ada@example.com"}'
    await site.store.users.set_claims("u1", claims, events=[])
    return site


async def token(site: SimpleNamespace, **changes: object) -> str:
    answer = await site.redeem_code(await site.issue_code(**changes))
    return str(answer.json()["access_token"])


async def test_scopes_bring_their_claims(app: SimpleNamespace) -> None:
    told = await app.userinfo(await token(app, scope=frozenset({"openid", "profile"})))
    assert told == {
        "sub": "u1",
        "name": "Ada Lovelace",
        "nickname": "countess",
        "preferred_username": "ada",
        "updated_at": app.now // 1000,
    }


async def test_a_claim_that_was_asked_for_by_name_comes_without_its_scope(app: SimpleNamespace) -> None:
    requested = b'{"userinfo":{"name":{"essential":true},"tenant":null}}'
    told = await app.userinfo(await token(app, scope=frozenset({"openid"}), requested_claims=requested))
    assert told == {"sub": "u1", "name": "Ada Lovelace"}


async def test_openid_alone_tells_who_it_is_and_no_more(app: SimpleNamespace) -> None:
    assert await app.userinfo(await token(app, scope=frozenset({"openid"}))) == {"sub": "u1"}


async def test_a_sector_hears_its_own_name_of_the_person(site: SimpleNamespace) -> None:
    await site.add_app(sector_identifier="app.example")
    body = (await site.redeem_code(await site.issue_code(scope=frozenset({"openid"})))).json()
    told = await site.userinfo(body["access_token"])
    assert told["sub"] != "u1"
