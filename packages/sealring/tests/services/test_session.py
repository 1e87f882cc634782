import asyncio
import json
from base64 import urlsafe_b64decode
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from sealring.credentials.password_hash import PasswordHashParameters
from sealring.hashing.password_hash import HashingThreads
from sealring.ports import HashingBusy
from sealring.protocol.user import UserCredentials

ASSERTED = {"subject": "ext-7", "auth_time": 1_699_999_990, "amr": ["hwk"], "scope": "orders:read"}
BACKEND = ("backend", "slc_backend")


def claims_of(access_token: str) -> dict[str, Any]:
    payload = access_token.split(".")[1]
    return dict(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def code_of(answer: Any) -> tuple[int, str]:  # noqa: ANN401 -- httpx.Response
    return answer.status_code, answer.json()["code"]


class CountingHashing:
    """Hashes as the house does, and counts."""

    def __init__(self, inner: Any) -> None:  # noqa: ANN401 -- ports.PasswordHashing
        self.inner, self.verified, self.hashed = inner, 0, 0

    async def verify(self, password_hash: str | None, prepared: bytes, **_: bool) -> object:
        self.verified += 1
        return await self.inner.verify(password_hash, prepared)

    async def hash(self, prepared: bytes, **_: bool) -> object:
        self.hashed += 1
        return await self.inner.hash(prepared)


async def stored(site: SimpleNamespace, name: str = "ada") -> UserCredentials:
    credentials = await site.store.users.find_by_login(name)
    assert isinstance(credentials, UserCredentials)
    return credentials


async def test_the_right_password_opens_a_session_with_both_tokens(site: SimpleNamespace) -> None:
    answer = await site.sign_in(username="  ADA ")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["refresh_token"].startswith("slr_")
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 600, "orders:read orders:write")
    claims = claims_of(body["access_token"])
    assert (claims["sub"], claims["aud"], claims["sid"]) == ("u1", "orders", body["sid"])
    assert (claims["sub_epoch"], claims["client_epoch"], claims["amr"]) == (3, 1, ["pwd"])
    assert (claims["auth_time"], claims["roles"]) == (site.now // 1000, ["boss"])
    assert answer.headers["cache-control"] == "no-store"


async def test_a_wrong_password_and_an_unknown_name_get_the_same_words_for_one_hash_each(
    site: SimpleNamespace,
) -> None:
    counting = CountingHashing(site.opened.house.hashing)
    site.rehouse(hashing=counting)
    wrong = await site.sign_in(password="wrong")
    assert counting.verified == 1
    unknown = await site.sign_in(username="nobody", password="wrong")
    assert counting.verified == 2
    assert counting.hashed == 0
    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content)
    assert code_of(wrong) == (400, "wrong_credentials")


async def test_a_disabled_account_is_told_only_after_the_right_password(site: SimpleNamespace) -> None:
    await site.store.users.set_disabled("u1", disabled=True, now=site.now, events=[])
    assert code_of(await site.sign_in(password="wrong")) == (400, "wrong_credentials")
    assert code_of(await site.sign_in()) == (400, "account_disabled")


async def test_failures_limit_an_account_from_its_network_and_never_lock_the_owner_out(site: SimpleNamespace) -> None:
    guesser = site.client("203.0.113.9", auth=("shop", "slc_shop"))
    guess = {"username": "ada", "password": "wrong", "scope": "orders:read"}
    for _ in range(10):
        assert code_of(await guesser.post("/session", json=guess)) == (400, "wrong_credentials")
    limited = await guesser.post("/session", json=guess | {"password": "correct horse battery staple"})
    assert code_of(limited) == (429, "too_many_attempts")
    assert int(limited.headers["retry-after"]) > 0
    neighbour = site.client("203.0.113.200", auth=("shop", "slc_shop"))
    assert code_of(await neighbour.post("/session", json=guess)) == (429, "too_many_attempts")
    assert (await site.sign_in()).status_code == 200


async def test_many_names_from_one_network_are_limited_too(open_site: Any) -> None:  # noqa: ANN401 -- a fixture's callable
    async with open_site(limits={"failures_per_network": 5}) as site:
        for number in range(5):
            assert code_of(await site.sign_in(username=f"guess{number}"))[1] == "wrong_credentials"
        assert code_of(await site.sign_in(username="fresh")) == (429, "too_many_attempts")


async def test_a_full_queue_is_503_and_counts_as_no_failure(site: SimpleNamespace) -> None:
    class FullQueue:
        async def verify(self, _password_hash: str | None, _prepared: bytes, **_: bool) -> HashingBusy:
            return HashingBusy()

    free = site.opened.house.hashing
    site.rehouse(hashing=FullQueue())
    for _ in range(12):
        busy = await site.sign_in()
        assert code_of(busy) == (503, "sign_in_busy")
        assert busy.headers["retry-after"] == "1"
    site.rehouse(hashing=free)
    assert (await site.sign_in()).status_code == 200


async def test_a_name_of_ten_thousand_characters_is_refused_before_any_hash(site: SimpleNamespace) -> None:
    counting = CountingHashing(site.opened.house.hashing)
    site.rehouse(hashing=counting)
    assert code_of(await site.sign_in(username="a" * 10_000)) == (400, "invalid_login_name")
    assert counting.verified == 0


async def test_a_hash_of_other_parameters_is_made_anew_at_sign_in(site: SimpleNamespace) -> None:
    before = (await stored(site)).password_hash
    dearer = HashingThreads(
        parameters=PasswordHashParameters(memory=16, passes=1, lanes=1),
        threads=1,
        queue=4,
        randomness=lambda n: b"s" * n,
    )
    site.rehouse(hashing=dearer)
    assert (await site.sign_in(password="wrong")).status_code == 400
    assert (await stored(site)).password_hash == before
    assert (await site.sign_in()).status_code == 200
    after = (await stored(site)).password_hash
    assert after is not None
    assert "m=16," in after
    assert (await site.sign_in()).status_code == 200
    assert (await stored(site)).password_hash == after
    assert [event.event for event in await site.events()].count("password_rehashed") == 1
    dearer.close()


async def test_a_user_without_a_password_is_never_signed_in(site: SimpleNamespace) -> None:
    opened = await site.http.post("/session", json=ASSERTED | {"subject": "carol"}, auth=BACKEND)
    assert opened.status_code == 200
    assert code_of(await site.sign_in(username="carol")) == (400, "wrong_credentials")


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"scope": "nothing"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "orders:read bills:read"}, "invalid_target"),
        ({"scope": "orders:read", "resource": "bills"}, "invalid_target"),
        ({"scope": "orders:read", "resource": "unknown"}, "invalid_target"),
    ],
)
async def test_a_token_names_one_api_that_the_client_may_reach(
    site: SimpleNamespace, members: dict[str, str], code: str
) -> None:
    assert code_of(await site.sign_in(**members)) == (400, code)


async def test_an_asserted_session_needs_the_permission(site: SimpleNamespace) -> None:
    assert code_of(await site.http.post("/session", json=ASSERTED)) == (403, "permission_required")
    answer = await site.http.post("/session", json=ASSERTED, auth=BACKEND)
    assert answer.status_code == 200
    claims = claims_of(answer.json()["access_token"])
    assert (claims["sub"], claims["amr"], claims["auth_time"]) == ("ext-7", ["hwk"], 1_699_999_990)


@pytest.mark.parametrize(("offset", "code"), [(60, None), (61, "bad"), (-86_400, None), (-86_401, "bad")])
async def test_auth_time_lies_between_a_day_back_and_a_minute_ahead(
    site: SimpleNamespace, offset: int, code: str | None
) -> None:
    members = ASSERTED | {"auth_time": site.now // 1000 + offset}
    answer = await site.http.post("/session", json=members, auth=BACKEND)
    if code is None:
        assert answer.status_code == 200
    else:
        assert code_of(answer) == (400, "invalid_auth_time")


async def test_asserted_claims_reach_the_tokens_that_the_api_names_and_no_registered_one(
    site: SimpleNamespace,
) -> None:
    told = ASSERTED | {"claims": {"tenant": "t-1", "colour": "red"}}
    answer = (await site.http.post("/session", json=told, auth=BACKEND)).json()
    claims = claims_of(answer["access_token"])
    assert claims["tenant"] == "t-1"
    assert "colour" not in claims
    again = await site.http.post("/session/refresh", json={"refresh_token": answer["refresh_token"]}, auth=BACKEND)
    assert claims_of(again.json()["access_token"])["tenant"] == "t-1"
    for name in ("sub", "roles", "sid", "admin"):
        refused = await site.http.post("/session", json=ASSERTED | {"claims": {name: "x"}}, auth=BACKEND)
        assert code_of(refused) == (400, "reserved_claim")


async def test_a_token_over_its_budget_opens_nothing(site: SimpleNamespace) -> None:
    told = ASSERTED | {"claims": {"tenant": "t" * 5000}}
    assert code_of(await site.http.post("/session", json=told, auth=BACKEND)) == (400, "access_token_over_budget")
    assert await site.store.sessions.count_live(sub=None, now=site.now) == 0


async def test_a_disabled_subject_gets_no_asserted_session(site: SimpleNamespace) -> None:
    await site.http.post("/session", json=ASSERTED, auth=BACKEND)
    await site.store.users.set_disabled("ext-7", disabled=True, now=site.now, events=[])
    assert code_of(await site.http.post("/session", json=ASSERTED, auth=BACKEND)) == (400, "account_disabled")


async def test_a_sign_in_that_a_revocation_overtakes_opens_nothing(site: SimpleNamespace) -> None:
    entered, proceed = asyncio.Event(), asyncio.Event()
    inner = site.opened.house.hashing

    class SlowHashing:
        async def verify(self, password_hash: str | None, prepared: bytes, **_: bool) -> object:
            verdict = await inner.verify(password_hash, prepared)
            entered.set()
            await proceed.wait()
            return verdict

    site.rehouse(hashing=SlowHashing())
    signing_in = asyncio.create_task(site.sign_in())
    await entered.wait()
    await site.store.sessions.end_all_of("u1", reason="test", now=site.now, events=[])
    proceed.set()
    assert code_of(await signing_in) == (400, "wrong_credentials")
    assert await site.store.sessions.count_live(sub="u1", now=site.now) == 0


async def test_a_client_without_refresh_gets_an_access_token_alone_and_a_session_as_long(
    site: SimpleNamespace,
) -> None:
    shop = await site.store.clients.find("shop")
    await site.store.clients.replace(msgspec.structs.replace(shop, refresh=False), read=shop, events=[])
    body = (await site.sign_in()).json()
    assert "refresh_token" not in body
    assert (await site.inspect(body["access_token"]))["active"]
    assert await site.store.sessions.count_live(sub="u1", now=site.now + 599_000) == 1
    assert await site.store.sessions.count_live(sub="u1", now=site.now + 601_000) == 0


async def test_a_burst_gets_no_more_answers_than_the_limit(site: SimpleNamespace) -> None:
    answers = await asyncio.gather(*(site.sign_in(password=f"wrong {number}") for number in range(30)))
    codes = [code_of(answer)[1] for answer in answers]
    assert (codes.count("wrong_credentials"), codes.count("too_many_attempts")) == (10, 20)
    assert [event.event for event in await site.events()].count("sign_in") == 10


async def test_what_can_be_nobodys_password_counts_as_a_failure_and_fills_no_audit(site: SimpleNamespace) -> None:
    codes = [code_of(await site.sign_in(password="x" * 2000))[1] for _ in range(12)]
    assert codes == ["wrong_credentials"] * 10 + ["too_many_attempts"] * 2
    assert [event.event for event in await site.events()].count("sign_in") == 10


async def test_a_sign_in_gives_a_device_token_that_a_next_one_may_send(site: SimpleNamespace) -> None:
    first = (await site.sign_in()).json()["device_token"]
    assert first.startswith("sld_")
    again = await site.sign_in(device_token=first)
    assert again.status_code == 200
    asserted = await site.http.post("/session", json=ASSERTED, auth=BACKEND)
    refreshed = await site.refresh(again.json()["refresh_token"])
    assert "device_token" not in asserted.json()
    assert "device_token" not in refreshed.json()


async def test_a_device_token_that_is_no_good_changes_nothing(site: SimpleNamespace) -> None:
    foreign = (await site.sign_in(username="bob")).json()["device_token"]
    plain = await site.sign_in(password="wrong")
    for worthless in (foreign, "sld_" + "A" * 48, "", "\u00e9", 7, [], {"a": 1}):
        assert (await site.sign_in(device_token=worthless)).status_code == 200
        refused = await site.sign_in(password="wrong", device_token=worthless)
        assert (refused.status_code, refused.content) == (plain.status_code, plain.content)
    assert code_of(await site.sign_in(username="nobody", device_token=foreign)) == (400, "wrong_credentials")


async def test_a_network_under_attack_does_not_lock_a_known_device_out(site: SimpleNamespace) -> None:
    device_token = (await site.sign_in()).json()["device_token"]
    for number in range(100):
        site.opened.house.limit.count_failure(f"guess{number}", "127.0.0.0/24")
        site.opened.house.limit.count_failure("ada", "127.0.0.0/24")
    assert code_of(await site.sign_in()) == (429, "too_many_attempts")
    assert code_of(await site.sign_in(username="bob", device_token=device_token)) == (429, "too_many_attempts")
    assert (await site.sign_in(device_token=device_token)).status_code == 200


async def test_a_known_device_guesses_no_more_than_anybody_also_after_signing_in_again(site: SimpleNamespace) -> None:
    device_token = (await site.sign_in()).json()["device_token"]
    codes = [code_of(await site.sign_in(password="wrong", device_token=device_token))[1] for _ in range(9)]
    device_token = (await site.sign_in(device_token=device_token)).json()["device_token"]
    codes += [code_of(await site.sign_in(password="wrong", device_token=device_token))[1] for _ in range(2)]
    assert codes == ["wrong_credentials"] * 10 + ["too_many_attempts"]
    assert (await site.sign_in()).status_code == 200


async def test_no_device_token_stands_in_a_repr_or_an_event(site: SimpleNamespace) -> None:
    device_token = (await site.sign_in()).json()["device_token"]
    await site.sign_in(device_token=device_token, password="wrong")
    assert device_token not in repr(await site.events()) + repr(site.opened.house)


async def test_no_back_end_opens_a_session_for_a_client(site: SimpleNamespace) -> None:
    # Its tokens would say what the client's own say: that the client acts in its own name.
    asserted = {"auth_time": site.now // 1000, "amr": ["pwd"], "scope": "orders:read"}
    for name in ("robot", "shop", "backend"):
        answer = await site.http.post("/session", json=asserted | {"subject": name}, auth=("backend", "slc_backend"))
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_subject")
        assert await site.store.users.find(name) is None
    await site.store.clients.delete("robot", now=site.now, events=[])
    gone = await site.http.post("/session", json=asserted | {"subject": "robot"}, auth=("backend", "slc_backend"))
    assert (gone.status_code, gone.json()["code"]) == (400, "invalid_subject")
