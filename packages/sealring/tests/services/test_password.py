import asyncio
import os
from types import SimpleNamespace

import httpx
import msgspec

from sealring.credentials.password_hash import PasswordHashParameters
from sealring.hashing.password_hash import HashingThreads
from sealring.limiting.sign_in import MemorySignInLimit

PASSWORD = "correct horse battery staple"
NEW = "lamp-orbit-cedar-violin"


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def bearer(access_token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {access_token}"}


async def change(
    site: SimpleNamespace, headers: dict[str, str], *, current: str = PASSWORD, new: str = NEW
) -> httpx.Response:
    body = {"current_password": current, "new_password": new}
    answer = await site.http.put("/password", headers=headers, auth=None, json=body)
    assert isinstance(answer, httpx.Response)
    return answer


async def test_a_change_ends_the_other_sessions_and_gives_this_one_new_tokens(site: SimpleNamespace) -> None:
    other = (await site.sign_in()).json()
    old, headers = await site.own_token()
    changed = await change(site, headers)
    assert changed.status_code == 200, changed.text
    for ended in (other["refresh_token"], old):
        assert code_of(await site.refresh(ended)) == (400, "refresh_refused")
    assert (await site.http.get("/sessions", headers=headers, auth=None)).status_code == 401
    fresh = bearer(changed.json()["access_token"])
    (only,) = (await site.http.get("/sessions", headers=fresh, auth=None)).json()["sessions"]
    assert only["current"]
    assert only["sid"] == changed.json()["sid"]
    assert (await site.refresh(changed.json()["refresh_token"])).status_code == 200
    assert code_of(await site.sign_in()) == (400, "wrong_credentials")
    assert (await site.sign_in(password=NEW)).status_code == 200


async def test_access_tokens_made_before_the_change_are_inactive(site: SimpleNamespace) -> None:
    body = (await site.sign_in(scope="orders:read sessions", resource="orders")).json()
    own = (await site.refresh(body["refresh_token"], resource="http://localhost:8799")).json()
    assert (await site.inspect(body["access_token"]))["active"]
    assert (await change(site, bearer(own["access_token"]))).status_code == 200
    assert await site.inspect(body["access_token"]) == {"active": False}


async def test_the_current_password_must_be_right(site: SimpleNamespace) -> None:
    token, headers = await site.own_token()
    assert code_of(await change(site, headers, current="wrong")) == (400, "wrong_credentials")
    event = (await site.events())[-1]
    assert (event.event, event.outcome, event.code) == ("password_changed", "refused", "wrong_credentials")
    assert event.sub == "u1"
    assert (await site.refresh(token)).status_code == 200
    assert (await site.sign_in()).status_code == 200


async def test_the_new_password_is_judged(site: SimpleNamespace) -> None:
    token, headers = await site.own_token()
    for weak in ("short", "passwordpassword", "x" * 129):
        assert code_of(await change(site, headers, new=weak)) == (400, "password_refused")
    assert (await site.refresh(token)).status_code == 200


async def test_it_needs_a_token_of_the_issuers_own_api(site: SimpleNamespace) -> None:
    body = (await site.sign_in()).json()
    assert code_of(await change(site, bearer(body["access_token"]))) == (401, "token_refused")
    assert code_of(await change(site, {})) == (401, "token_missing")


async def test_guesses_of_the_current_password_are_limited(site: SimpleNamespace) -> None:
    _, headers = await site.own_token()
    codes = [code_of(await change(site, headers, current=f"guess {n}"))[1] for n in range(11)]
    assert codes == ["wrong_credentials"] * 10 + ["too_many_attempts"]


async def test_a_change_takes_the_places_that_strangers_cannot(site: SimpleNamespace) -> None:
    token, headers = await site.own_token()
    # The only place in the queue is kept from strangers.
    hashing = HashingThreads(
        parameters=PasswordHashParameters(memory=8, passes=1, lanes=1),
        threads=1,
        queue=0,
        reserved=1,
        randomness=os.urandom,
    )
    site.rehouse(hashing=hashing)
    assert code_of(await site.sign_in()) == (503, "sign_in_busy")
    changed = await change(site, headers)
    assert changed.status_code == 200, changed.text
    assert code_of(await site.refresh(token)) == (400, "refresh_refused")
    hashing.close()


async def test_of_two_changes_at_once_one_wins(site: SimpleNamespace) -> None:
    _, headers = await site.own_token()
    answers = await asyncio.gather(change(site, headers), change(site, headers, new=NEW + "-two"))
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    assert await site.store.sessions.count_live(sub="u1", now=site.now) == 1


async def test_a_change_raced_a_thousand_times_leaves_no_survivor_of_the_old_epoch(site: SimpleNamespace) -> None:
    # Whoever signs in too late fails, and is not the subject here.
    site.rehouse(limit=MemorySignInLimit(failures_per_account=100_000, failures_per_network=100_000))
    password, fresh = PASSWORD, NEW
    own, headers = await site.own_token()
    for turn in range(1000):
        other = (await site.sign_in(password=password)).json()["refresh_token"]
        changed, signed_in, again, _ = await asyncio.gather(
            change(site, headers, current=password, new=fresh),
            site.sign_in(password=password),
            site.refresh(other),
            site.refresh(own),
        )
        assert changed.status_code == 200, changed.text
        for answer in (signed_in, again):
            if answer.status_code == 200:
                assert code_of(await site.refresh(answer.json()["refresh_token"])) == (400, "refresh_refused")
        assert await site.store.sessions.count_live(sub="u1", now=site.now) == 1
        own, headers = changed.json()["refresh_token"], bearer(changed.json()["access_token"])
        password, fresh = fresh, f"{NEW}-{turn}"


async def test_a_password_change_whose_tokens_would_not_fit_changes_nothing(site: SimpleNamespace) -> None:
    refresh_token, headers = await site.own_token()
    issuer = await site.store.apis.find(site.opened.house.issuer)
    await site.store.apis.replace(msgspec.structs.replace(issuer, byte_budget=64), read=issuer, events=[])
    body = {"current_password": "correct horse battery staple", "new_password": "another long passphrase here"}
    answer = await site.client().put("/password", headers=headers, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "access_token_over_budget")
    await site.store.apis.replace(issuer, read=msgspec.structs.replace(issuer, byte_budget=64), events=[])
    assert (await site.refresh(refresh_token)).status_code == 200
