import asyncio
import json
from base64 import urlsafe_b64decode
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest


def claims_of(access_token: str) -> dict[str, Any]:
    payload = access_token.split(".")[1]
    return dict(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def first_token(site: SimpleNamespace, **members: str) -> str:
    return str((await site.sign_in(**members)).json()["refresh_token"])


async def successor(site: SimpleNamespace, token: str, **members: str) -> str:
    answer = await site.refresh(token, **members)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refresh_token"])


async def test_a_refresh_gives_the_next_token_and_an_access_token_of_the_same_session(site: SimpleNamespace) -> None:
    signed_in = (await site.sign_in()).json()
    site.pass_time(30)
    refreshed = (await site.refresh(signed_in["refresh_token"])).json()
    assert refreshed["refresh_token"] != signed_in["refresh_token"]
    assert refreshed["sid"] == signed_in["sid"]
    before, after = claims_of(signed_in["access_token"]), claims_of(refreshed["access_token"])
    for name in ("iss", "sub", "aud", "sid", "sub_epoch", "client_epoch", "auth_time", "amr", "scope", "roles"):
        assert after[name] == before[name]
    assert after["iat"] == before["iat"] + 30
    assert after["jti"] != before["jti"]


async def test_a_client_that_lost_the_answer_gets_the_same_successor(site: SimpleNamespace) -> None:
    token = await first_token(site)
    lost = await successor(site, token)
    site.pass_time(5)
    assert await successor(site, token) == lost
    assert (await site.refresh(lost)).status_code == 200


async def test_two_tabs_get_the_same_successor_and_go_on(site: SimpleNamespace) -> None:
    token = await first_token(site)
    one, two = await asyncio.gather(successor(site, token), successor(site, token))
    assert one == two
    assert await successor(site, one) == await successor(site, two)


async def test_ten_tabs_at_once_all_get_the_same_successor_and_none_ends(site: SimpleNamespace) -> None:
    token = await first_token(site)
    for _ in range(5):
        tokens = await asyncio.gather(*[successor(site, token) for _ in range(10)])
        assert len(set(tokens)) == 1
        token = tokens[0]
        site.pass_time(60)
    assert await site.store.sessions.count_live(sub="u1", now=site.now) == 1


async def test_the_second_of_two_holders_five_minutes_apart_ends_the_session(site: SimpleNamespace) -> None:
    signed_in = (await site.sign_in()).json()
    stolen = signed_in["refresh_token"]
    current = await successor(site, stolen)
    site.pass_time(300)
    assert code_of(await site.refresh(stolen)) == (400, "refresh_refused")
    assert code_of(await site.refresh(current)) == (400, "refresh_refused")
    assert await site.inspect(signed_in["access_token"]) == {"active": False}
    codes = [(event.event, event.code) for event in await site.events() if event.code]
    assert codes == [("session_reuse_detected", "refresh_reused"), ("session_refresh_refused", "refresh_ended")]


async def test_a_clock_set_forward_makes_no_thief_of_a_client_that_repeats(site: SimpleNamespace) -> None:
    token = await first_token(site)
    lost = await successor(site, token)
    site.now += 3600_000  # the wall clock alone: the node was down, or its clock was mended
    assert await successor(site, token) == lost


async def test_the_holder_of_the_newest_token_goes_on_after_five_minutes(site: SimpleNamespace) -> None:
    token = await first_token(site)
    for _ in range(4):
        site.pass_time(300)
        token = await successor(site, token)


async def test_another_clients_token_is_refused_and_its_session_goes_on(site: SimpleNamespace) -> None:
    token = await first_token(site)
    answer = await site.http.post("/session/refresh", json={"refresh_token": token}, auth=("other", "slc_other"))
    assert code_of(answer) == (400, "refresh_refused")
    assert (await site.events())[-1].code == "refresh_wrong_client"
    assert (await site.refresh(token)).status_code == 200


@pytest.mark.parametrize("change", ["cut", "longer", "flipped", "prefix", "empty", "spaces", "unicode"])
async def test_a_garbled_token_is_refused_and_changes_nothing(site: SimpleNamespace, change: str) -> None:
    token = await first_token(site)
    flipped = token[:-5] + ("A" if token[-5] != "A" else "B") + token[-4:]
    garbled = {
        "cut": token[:-1],
        "longer": token + "A",
        "flipped": flipped,
        "prefix": "slx_" + token[4:],
        "empty": "",
        "spaces": f" {token} ",
        "unicode": token[:-1] + "\u00e9",
    }[change]
    assert code_of(await site.refresh(garbled)) == (400, "refresh_refused")
    assert (await site.refresh(token)).status_code == 200


async def test_refusals_differ_in_their_error_id_alone(site: SimpleNamespace) -> None:
    token = await first_token(site)
    await site.http.request("DELETE", "/session", json={"refresh_token": token})
    ended, unknown = (await site.refresh(token)).json(), (await site.refresh("slr_x")).json()
    assert ended.pop("error_id") != unknown.pop("error_id")
    assert ended == unknown
    assert ended["error"] == "invalid_grant"


async def test_a_session_left_idle_expires(site: SimpleNamespace) -> None:
    token = await first_token(site)
    site.pass_time(30 * 86_400 + 1)
    assert code_of(await site.refresh(token)) == (400, "refresh_refused")
    assert (await site.events())[-1].code == "refresh_expired"


async def test_no_refresh_reaches_beyond_the_absolute_lifetime(site: SimpleNamespace) -> None:
    token = await first_token(site)
    for _ in range(4):
        site.pass_time(20 * 86_400)
        token = await successor(site, token)
    site.pass_time(10 * 86_400 + 1)
    assert code_of(await site.refresh(token)) == (400, "refresh_refused")
    assert (await site.events())[-1].code == "refresh_expired"


async def test_a_narrower_scope_narrows_one_access_token_only(site: SimpleNamespace) -> None:
    token = await first_token(site)
    narrow = (await site.refresh(token, scope="orders:read")).json()
    assert narrow["scope"] == claims_of(narrow["access_token"])["scope"] == "orders:read"
    wide = (await site.refresh(narrow["refresh_token"])).json()
    assert wide["scope"] == "orders:read orders:write"


async def test_scope_beyond_the_grant_is_refused_and_the_token_stays_good(site: SimpleNamespace) -> None:
    token = await first_token(site, scope="orders:read")
    assert code_of(await site.refresh(token, scope="orders:write")) == (400, "scope_exceeds_grant")
    assert code_of(await site.refresh(token, scope="never:heard")) == (400, "invalid_scope")
    assert code_of(await site.refresh(token, resource="bills"))[0] == 400
    assert code_of(await site.refresh(token, resource="nowhere")) == (400, "invalid_target")
    assert (await site.refresh(token)).status_code == 200


async def test_a_replay_that_asks_too_much_ends_the_family_all_the_same(site: SimpleNamespace) -> None:
    token = await first_token(site, scope="orders:read")
    current = await successor(site, token)
    site.pass_time(300)
    assert code_of(await site.refresh(token, scope="never:heard")) == (400, "refresh_refused")
    assert code_of(await site.refresh(current)) == (400, "refresh_refused")


async def test_a_grant_over_two_apis_gives_a_token_for_either(site: SimpleNamespace) -> None:
    token = await first_token(site, scope="orders:read bills:read", resource="orders")
    orders = (await site.refresh(token)).json()
    assert (claims_of(orders["access_token"])["aud"], orders["scope"]) == ("orders", "orders:read")
    bills = (await site.refresh(orders["refresh_token"], resource="bills")).json()
    assert (claims_of(bills["access_token"])["aud"], bills["scope"]) == ("bills", "bills:read")


async def test_a_scope_taken_from_the_client_is_gone_from_its_next_token(site: SimpleNamespace) -> None:
    token = await first_token(site)
    shop = await site.store.clients.find("shop")
    changed = msgspec.structs.replace(shop, allowed={"orders": frozenset({"orders:read"})})
    await site.store.clients.replace(changed, read=shop, events=[])
    assert (await site.refresh(token)).json()["scope"] == "orders:read"


async def test_a_client_that_may_no_longer_refresh_gets_no_token(site: SimpleNamespace) -> None:
    token = await first_token(site)
    shop = await site.store.clients.find("shop")
    await site.store.clients.replace(msgspec.structs.replace(shop, refresh=False), read=shop, events=[])
    assert code_of(await site.refresh(token)) == (400, "refresh_refused")


async def test_a_token_newer_than_the_store_ends_the_session(site: SimpleNamespace) -> None:
    token = await first_token(site)
    ahead = await successor(site, await successor(site, token))
    site.opened.house.store._database._writing.execute("UPDATE sessions SET generation = 0")
    assert code_of(await site.refresh(ahead)) == (400, "refresh_refused")
    assert (await site.events())[-1].event == "store_rollback_detected"


@pytest.mark.parametrize("what", ["user", "client"])
async def test_disabling_user_or_client_stops_the_refresh(site: SimpleNamespace, what: str) -> None:
    token = await first_token(site)
    if what == "user":
        await site.store.users.set_disabled("u1", disabled=True, now=site.now, events=[])
        assert code_of(await site.refresh(token)) == (400, "refresh_refused")
    else:
        await site.store.clients.set_disabled("shop", disabled=True, now=site.now, events=[])
        assert code_of(await site.refresh(token)) == (401, "client_authentication_failed")
        await site.store.clients.set_disabled("shop", disabled=False, now=site.now, events=[])
        assert code_of(await site.refresh(token)) == (400, "refresh_refused")


async def test_a_refusal_after_the_rotation_leaves_the_token_good(site: SimpleNamespace) -> None:
    token = await first_token(site)
    apis = site.store.apis
    orders = await apis.find("orders")
    await apis.replace(msgspec.structs.replace(orders, byte_budget=64), read=orders, events=[])
    assert code_of(await site.refresh(token)) == (400, "access_token_over_budget")
    site.pass_time(300)
    assert code_of(await site.refresh(token)) == (400, "access_token_over_budget")
    await apis.replace(orders, read=msgspec.structs.replace(orders, byte_budget=64), events=[])
    assert (await site.refresh(await successor(site, token))).status_code == 200


async def test_a_dead_token_that_is_repeated_fills_no_audit(site: SimpleNamespace) -> None:
    token = await first_token(site)
    await site.http.request("DELETE", "/session", json={"refresh_token": token})
    for _ in range(5):
        assert code_of(await site.refresh(token)) == (400, "refresh_refused")
    site.pass_time(61)
    assert code_of(await site.refresh(token)) == (400, "refresh_refused")
    refused = [recorded for recorded in await site.events() if recorded.code == "refresh_ended"]
    assert len(refused) == 2
