from types import SimpleNamespace

import pytest

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import OAuthError
from sealring.protocol.revocation import Revocation
from sealring.protocol.secret import Secret
from sealring.services.revocation import RevokeToken, TokenRevoked, revoke_token


async def revoke(site: SimpleNamespace, token: str) -> TokenRevoked | OAuthError:
    house = site.opened.house
    request = RevokeToken(token=Secret(token))
    return await revoke_token(request, store=house.store, signer=house.signer, clock=house.clock, actor="cli:root")


async def test_one_token_ends_and_its_session_goes_on(site: SimpleNamespace) -> None:
    answer = (await site.sign_in()).json()
    other = (await site.refresh(answer["refresh_token"])).json()
    outcome = await revoke(site, answer["access_token"])
    assert isinstance(outcome, TokenRevoked)
    assert (outcome.sub, outcome.client_id, outcome.aud, outcome.collapsed) == ("u1", "shop", ("orders",), False)
    assert await site.inspect(answer["access_token"]) == {"active": False}
    assert (await site.inspect(other["access_token"]))["active"]
    assert [event.event for event in await site.events()][-1] == "token_revoked"


async def test_an_ended_token_opens_nothing_of_ours(site: SimpleNamespace) -> None:
    _, headers = await site.own_token()
    async with site.client() as person:
        assert (await person.get("/sessions", headers=headers)).status_code == 200
        assert isinstance(await revoke(site, headers["authorization"].removeprefix("Bearer ")), TokenRevoked)
        assert (await person.get("/sessions", headers=headers)).json()["code"] == "session_ended"


async def test_what_is_no_live_token_of_ours_is_refused(site: SimpleNamespace) -> None:
    answer = (await site.sign_in()).json()
    garbled = answer["access_token"][:-2] + "AA"
    for wrong in ("", "x", garbled, answer["refresh_token"]):
        outcome = await revoke(site, wrong)
        assert isinstance(outcome, OAuthError)
        assert outcome.code == "token_refused"
    site.pass_time(601)
    assert isinstance(await revoke(site, answer["access_token"]), OAuthError)


async def test_a_client_with_a_thousand_ended_tokens_ends_as_a_whole(site: SimpleNamespace) -> None:
    answer = (await site.sign_in()).json()
    for number in range(1000):
        ended = Revocation(
            kind="jti", value=f"t{number}", at=site.now, audiences=frozenset({"orders"}), client_id="shop"
        )
        assert await site.store.revocations.end_token(ended, most=1000, now=site.now, events=[])
    outcome = await revoke(site, answer["access_token"])
    assert isinstance(outcome, TokenRevoked)
    assert outcome.collapsed
    assert await site.inspect(answer["access_token"]) == {"active": False}
    assert (await site.refresh(answer["refresh_token"])).json()["code"] == "refresh_refused"


# --- By the client, at /revoke ---


async def events_of(site: SimpleNamespace, *names: str) -> list[AuditEvent]:
    return [event for event in await site.events() if event.event in names]


async def fill_the_feed(site: SimpleNamespace, client_id: str) -> None:
    for number in range(1000):
        ended = Revocation(
            kind="jti", value=f"t{number}", at=site.now, audiences=frozenset({"orders"}), client_id=client_id
        )
        assert await site.store.revocations.end_token(ended, most=1000, now=site.now, events=[])


async def feed_number(site: SimpleNamespace) -> int:
    return int((await site.store.revocations.head()).number)


async def test_a_refresh_token_of_any_age_ends_its_session_and_takes_the_access_tokens_along(
    site: SimpleNamespace,
) -> None:
    first = (await site.sign_in()).json()
    second = (await site.refresh(first["refresh_token"])).json()
    other = (await site.sign_in()).json()
    site.pass_time(60)
    before = await feed_number(site)
    assert (await site.revoke(first["refresh_token"])).status_code == 200
    assert await feed_number(site) == before + 1
    for access_token in (first["access_token"], second["access_token"]):
        assert await site.inspect(access_token) == {"active": False}
    assert (await site.refresh(second["refresh_token"])).json()["code"] == "refresh_refused"
    assert (await site.inspect(other["access_token"]))["active"]
    (event,) = await events_of(site, "session_ended")
    assert (event.actor, event.sid, event.sub) == ("client:shop", first["sid"], "u1")


async def test_an_access_token_ends_alone(site: SimpleNamespace) -> None:
    first = (await site.sign_in()).json()
    second = (await site.refresh(first["refresh_token"])).json()
    assert (await site.revoke(first["access_token"])).status_code == 200
    assert await site.inspect(first["access_token"]) == {"active": False}
    assert (await site.inspect(second["access_token"]))["active"]
    assert (await site.refresh(second["refresh_token"])).status_code == 200
    (event,) = await events_of(site, "token_revoked")
    assert (event.actor, event.sid, event.network) == ("client:shop", first["sid"], "127.0.0.0/24")


async def test_a_clients_own_token_ends_alone(site: SimpleNamespace) -> None:
    tokens = [(await site.token(scope="orders:read")).json()["access_token"] for _ in range(2)]
    await site.revoke(tokens[0], auth=("robot", "slc_robot"))
    assert await site.inspect(tokens[0]) == {"active": False}
    assert (await site.inspect(tokens[1]))["active"]


async def test_giving_back_twice_is_one_entry_and_one_event(site: SimpleNamespace) -> None:
    answer = (await site.sign_in()).json()
    for token in (answer["access_token"], answer["refresh_token"]):
        before = await feed_number(site)
        for _ in range(3):
            assert (await site.revoke(token)).status_code == 200
        assert await feed_number(site) == before + 1
    assert len(await events_of(site, "token_revoked", "session_ended")) == 2


async def test_a_foreign_token_ends_nothing_looks_the_same_and_is_an_event(site: SimpleNamespace) -> None:
    answer = (await site.sign_in()).json()
    own = await site.revoke((await site.sign_in()).json()["access_token"])
    before = await feed_number(site)
    for _ in range(3):
        for token in (answer["access_token"], answer["refresh_token"]):
            refused = await site.revoke(token, auth=("other", "slc_other"))
            assert (refused.status_code, refused.content, refused.headers) == (200, b"", own.headers)
    assert await feed_number(site) == before
    assert (await site.inspect(answer["access_token"]))["active"]
    assert (await site.refresh(answer["refresh_token"])).status_code == 200
    (event,) = await events_of(site, "token_revocation_refused")
    assert (event.actor, event.client_id, event.sid) == ("client:other", "shop", answer["sid"])
    assert (event.outcome, event.code) == ("refused", "token_of_another_client")


async def test_what_is_unknown_malformed_or_expired_ends_nothing(site: SimpleNamespace) -> None:
    answer = (await site.sign_in()).json()
    robots = (await site.token(scope="orders:read")).json()["access_token"]
    site.pass_time(601)
    before, told = await feed_number(site), await site.events()
    garbled = answer["refresh_token"][:-2] + "AA"
    for token in (
        "x",
        "slr_",
        "a.b.c",
        garbled,
        answer["access_token"],
        answer["access_token"] + "x",
        robots,
        "\u00e9",
    ):
        assert (await site.revoke(token)).status_code == 200
    assert (await feed_number(site), await site.events()) == (before, told)


async def test_beyond_a_thousand_a_persons_token_ends_the_session_and_nobody_elses(site: SimpleNamespace) -> None:
    answer, other = (await site.sign_in()).json(), (await site.sign_in(username="bob")).json()
    await fill_the_feed(site, "shop")
    before = await feed_number(site)
    await site.revoke(answer["access_token"])
    assert await feed_number(site) == before + 1
    assert await site.inspect(answer["access_token"]) == {"active": False}
    assert (await site.refresh(answer["refresh_token"])).json()["code"] == "refresh_refused"
    assert (await site.inspect(other["access_token"]))["active"]
    assert (await site.refresh(other["refresh_token"])).status_code == 200
    (event,) = await events_of(site, "session_ended")
    assert event.sid == answer["sid"]


async def test_beyond_a_thousand_a_clients_own_token_ends_all_of_the_client_in_one_entry(
    site: SimpleNamespace,
) -> None:
    tokens = [(await site.token(scope="orders:read")).json()["access_token"] for _ in range(3)]
    await fill_the_feed(site, "robot")
    before = await feed_number(site)
    await site.revoke(tokens[0], auth=("robot", "slc_robot"))
    assert await feed_number(site) == before + 1
    # What is dead with the rest takes no entry of its own, and no second step.
    await site.revoke(tokens[1], auth=("robot", "slc_robot"))
    assert await feed_number(site) == before + 1
    for token in tokens:
        assert await site.inspect(token) == {"active": False}
    fresh = (await site.token(scope="orders:read")).json()["access_token"]
    assert (await site.inspect(fresh))["active"]
    await site.revoke(fresh, auth=("robot", "slc_robot"))
    assert len(await events_of(site, "client_compromised")) == 1


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "\u00e9", ""])
async def test_a_wrong_hint_does_not_matter(site: SimpleNamespace, hint: str) -> None:
    answer = (await site.sign_in()).json()
    for token in (answer["access_token"], answer["refresh_token"]):
        assert (await site.revoke(token, token_type_hint=hint)).status_code == 200
    assert len(await events_of(site, "token_revoked", "session_ended")) == 2


async def test_a_foreign_token_without_a_session_fills_no_audit(site: SimpleNamespace) -> None:
    token = (await site.token(scope="orders:read")).json()["access_token"]
    before = await site.events()
    for _ in range(3):
        assert (await site.revoke(token)).status_code == 200
    assert await site.events() == before
    assert (await site.inspect(token))["active"]


async def test_one_token_of_an_api_with_a_secret_ends_for_that_api_alone(site: SimpleNamespace) -> None:
    made = await site.add_symmetric_api()
    own = ("parcels", made.api_key.reveal())
    token = (await site.sign_in(scope="parcels:read")).json()["access_token"]
    outcome = await revoke(site, token)
    assert isinstance(outcome, TokenRevoked)
    assert (outcome.sub, outcome.client_id, outcome.aud) == ("u1", "shop", ("parcels",))
    assert await site.inspect(token, auth=own) == {"active": False}
    assert await site.store.revocations.audiences_after(0) == {"parcels"}


async def test_the_operator_ends_an_opaque_token_by_its_text(site: SimpleNamespace) -> None:
    made = await site.add_opaque_api()
    token = (await site.sign_in(scope="letters:read")).json()["access_token"]
    house = site.opened.house
    request = RevokeToken(token=Secret(token))
    outcome = await revoke_token(request, store=house.store, signer=house.signer, clock=house.clock, actor="cli:x")
    assert isinstance(outcome, TokenRevoked)
    assert outcome.aud == ("letters",)
    assert await site.inspect(token, auth=("letters", made.api_key.reveal())) == {"active": False}
