import asyncio
import collections
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealring.ports import NewSession, RenewedSession, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, Seconds, ServiceInstant
from sealring.protocol.refresh_token import (
    Ended,
    Expired,
    PresentedRefreshToken,
    RefreshFamily,
    RefreshOutcome,
    RefreshPolicy,
    Repeat,
    Reused,
    Rotate,
    decide_refresh,
)
from sealring.protocol.revocation import Revocation

OpenSession = Callable[..., Awaitable[NewSession]]
Recorded = Callable[[], Awaitable[list[AuditEvent]]]
ENDED = AuditEvent(event="session_ended", at=3000, actor="cli:test", sub="ada")
OPENED = AuditEvent(event="sign_in", at=2000, actor="user:ada", sub="ada")
POLICY = RefreshPolicy(grace_window=Seconds(10))
FAR = 10**15
BINDING = bytes(32)


def presented(session: NewSession, generation: int = 0, **members: object) -> PresentedRefreshToken:
    usual = PresentedRefreshToken(
        key=session.key,
        generation=generation,
        client_id=session.client_id,
        network=session.network,
        user_agent=session.user_agent,
    )
    return msgspec.structs.replace(usual, **members)


async def rotate(store: Store, session: NewSession, generation: int = 0, **when: int) -> bool:
    grant = await store.sessions.advance(
        presented(session, generation, binding_digest=session.binding_digest),
        mac_key_id=0,
        idle_lifetime=Seconds(100),
        now=Instant(when.get("now", 3000)),
        service_now=ServiceInstant(when.get("service_now", 50)),
    )
    return grant is not None


async def family_of(store: Store, session: NewSession) -> RefreshFamily:
    family = await store.sessions.find_family(session.key)
    assert family is not None
    return family


# --- The statement obeys the law (SECURITY A3) ---


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a family before a token of it is presented at instant 10 000, and what is presented.

    `behind`: generations behind the row (negative: ahead). `idle`, `absolute`: expiry relative to the presentation.
    """

    rotations: int = 2
    behind: int = 0
    user: str = "stands"
    client: str = "stands"
    ended: bool = False
    idle: int = 1
    absolute: int = 1
    binding: bytes | None = None
    presented_binding: bytes | None = None
    presented_client: str = "own"
    scope: frozenset[str] | None = None
    resource: str | None = None
    service_elapsed: int = 0
    elsewhere: bool = False


NOW = Instant(10_000)
BEFORE = Instant(2000)
FATES = ("stands", "disabled", "enabled again", "epoch raised", "deleted")

GRANTED_SCOPE = frozenset({"orders:read", "orders:write", 'odd"[],:\\', "1"})

# Whatever these say, the token is worth a rotation.
blameless = st.builds(
    lambda binding, **members: Situation(binding=binding, presented_binding=binding, **members),
    binding=st.sampled_from([None, BINDING]),
    rotations=st.integers(0, 6),
    idle=st.sampled_from([1, 500]),
    absolute=st.sampled_from([1, 700]),
    scope=st.none() | st.frozensets(st.sampled_from(sorted(GRANTED_SCOPE))),
    resource=st.sampled_from([None, "orders", "invoices"]),
    service_elapsed=st.sampled_from([0, 9999, 10_000, 10_001, -5]),
    elsewhere=st.booleans(),
)
faults = st.one_of(
    st.builds(dict, behind=st.sampled_from([1, 2, 4, 5, -1])),
    st.builds(dict, user=st.sampled_from(FATES)),
    st.builds(dict, client=st.sampled_from(FATES)),
    st.builds(dict, ended=st.just(value=True)),
    st.builds(dict, idle=st.sampled_from([0, -1])),
    st.builds(dict, absolute=st.sampled_from([0, -1])),
    st.builds(dict, presented_binding=st.sampled_from([None, BINDING, b"x" * 32])),
    st.builds(dict, presented_client=st.sampled_from(["other", ""])),
    st.builds(dict, scope=st.frozensets(st.sampled_from(["orders:read", "orders:delete", "orders", "2"]), min_size=1)),
    st.builds(dict, resource=st.sampled_from(["stock", ""])),
)
situations = st.builds(
    lambda situation, *flaws: msgspec.structs.replace(situation, **dict(collections.ChainMap(*flaws))),
    blameless,
    st.just({}) | faults,
    st.just({}) | faults,
)
SINGLE_FAULTS = [
    Situation(behind=1),
    Situation(behind=-1),
    *(Situation(user=fate) for fate in FATES[1:]),
    *(Situation(client=fate) for fate in FATES[1:]),
    Situation(ended=True),
    Situation(idle=0),
    Situation(absolute=0),
    Situation(binding=BINDING),
    Situation(presented_binding=BINDING),
    Situation(binding=BINDING, presented_binding=b"x" * 32),
    Situation(presented_client="other"),
    Situation(scope=frozenset({"orders:delete"})),
    Situation(resource="stock"),
]
numbers = itertools.count(1)


async def doom_user(store: Store, sub: str, fate: str) -> None:
    # At an instant beyond every expiry, so that the epoch or the state says no, and not the row's own end.
    if fate in {"disabled", "enabled again"}:
        await store.users.set_disabled(sub, disabled=True, now=Instant(FAR), events=[])
    if fate == "enabled again":
        await store.users.set_disabled(sub, disabled=False, now=Instant(FAR), events=[])
    if fate == "epoch raised":
        await store.sessions.end_all_of(sub, reason="test", now=Instant(FAR), events=[])
    if fate == "deleted":
        await store.users.delete(sub, now=Instant(FAR), events=[])


async def doom_client(store: Store, client_id: str, fate: str) -> None:
    if fate in {"disabled", "enabled again", "epoch raised"}:
        await store.clients.set_disabled(client_id, disabled=True, now=Instant(FAR), events=[])
    if fate in {"enabled again", "epoch raised"}:
        await store.clients.set_disabled(client_id, disabled=False, now=Instant(FAR), events=[])
    if fate == "deleted":
        await store.clients.delete(client_id, now=Instant(FAR), events=[])


async def shop_advances(store: Store, session: NewSession, generation: int, *, now: Instant) -> bool:
    """Rotate so that the idle lifetime ends 8 s after `now`."""
    grant = await store.sessions.advance(
        presented(session, generation, binding_digest=session.binding_digest),
        mac_key_id=1,
        idle_lifetime=Seconds((NOW - BEFORE) // 1000),
        now=now,
        service_now=ServiceInstant(1000),
    )
    return grant is not None


async def arrange(store: Store, template: NewSession, situation: Situation) -> NewSession:
    """Bring a family of its own user and client into the situation, by acts of the store alone."""
    number = next(numbers)
    user = msgspec.structs.replace(await store.users.find("ada"), sub=f"sub-{number}", username=None)
    client = msgspec.structs.replace(await store.clients.find("shop"), client_id=f"client-{number}")
    session = msgspec.structs.replace(
        template,
        key=number.to_bytes(4, "big") + b"p" * 16,
        sid=f"property-{number}",
        sub=user.sub,
        client_id=client.client_id,
        scope=GRANTED_SCOPE,
        resources=frozenset({"orders", "invoices"}),
        absolute_expires_at=Instant(NOW + situation.absolute),
        idle_expires_at=Instant(NOW + situation.idle),
        binding_digest=situation.binding,
    )
    await asyncio.gather(
        store.users.add(user, username_key=None, email_key=None, password_hash=None, events=[]),
        store.clients.add(client, events=[]),
    )
    assert await store.sessions.create(session, now=BEFORE, events=[])
    for generation in range(situation.rotations):
        assert await shop_advances(store, session, generation, now=Instant(BEFORE + situation.idle))
    if situation.ended:
        await store.sessions.end(session.sid, reason="test", now=BEFORE, events=[])
    await asyncio.gather(
        doom_user(store, session.sub, situation.user), doom_client(store, session.client_id, situation.client)
    )
    return session


def request_of(session: NewSession, situation: Situation, *, generation: int) -> PresentedRefreshToken:
    return PresentedRefreshToken(
        key=session.key,
        generation=generation,
        client_id=session.client_id if situation.presented_client == "own" else situation.presented_client,
        binding_digest=situation.presented_binding,
        scope=situation.scope,
        resource=situation.resource,
        network="203.0.113.0/24" if situation.elsewhere else session.network,
        user_agent="curl" if situation.elsewhere else session.user_agent,
    )


async def judge_and_advance(store: Store, session: NewSession, situation: Situation) -> RefreshOutcome:
    """Ask the law and the statement about one request, and demand that they agree on every column."""
    before = await family_of(store, session)
    request = request_of(session, situation, generation=max(0, before.generation - situation.behind))
    service_now = ServiceInstant(1000 + situation.service_elapsed)
    outcome = decide_refresh(before, request, now=NOW, service_now=service_now, policy=POLICY)
    grant = await store.sessions.advance(
        request, mac_key_id=2, idle_lifetime=Seconds(100), now=NOW, service_now=service_now
    )
    after = await family_of(store, session)
    if not isinstance(outcome, Rotate):
        assert grant is None
        assert after == before
        return outcome
    assert grant is not None
    assert (grant.sid, grant.generation, grant.mac_key_id) == (session.sid, before.generation + 1, 2)
    assert after == msgspec.structs.replace(
        before,
        generation=before.generation + 1,
        mac_key_id=2,
        repeats=0,
        rotated=(service_now, *before.rotated[:3]),
        network=request.network,
        user_agent=request.user_agent,
        idle_expires_at=Instant(min(NOW + 100_000, before.absolute_expires_at)),
    )
    return outcome


@given(situation=situations)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_statement_rotates_if_and_only_if_the_law_says_rotate(
    shop: Store, new_session: NewSession, situation: Situation
) -> None:
    session = await arrange(shop, new_session, situation)
    await judge_and_advance(shop, session, situation)


@pytest.mark.parametrize("situation", SINGLE_FAULTS, ids=repr)
async def test_each_condition_of_rotate_alone_holds_the_statement_back(
    shop: Store, new_session: NewSession, situation: Situation
) -> None:
    session = await arrange(shop, new_session, situation)
    assert not isinstance(await judge_and_advance(shop, session, situation), Rotate)


@pytest.mark.parametrize(
    "situation",
    [
        Situation(),
        Situation(rotations=0),
        Situation(rotations=6),
        Situation(binding=BINDING, presented_binding=BINDING),
        Situation(scope=frozenset()),
        Situation(scope=frozenset({'odd"[],:\\'})),
        Situation(resource="invoices"),
        Situation(elsewhere=True),
    ],
    ids=repr,
)
async def test_the_statement_rotates_when_every_condition_holds(
    shop: Store, new_session: NewSession, situation: Situation
) -> None:
    session = await arrange(shop, new_session, situation)
    assert isinstance(await judge_and_advance(shop, session, situation), Rotate)


@pytest.mark.parametrize("member", ["idle_expires_at", "absolute_expires_at"])
@pytest.mark.parametrize(("early", "rotates"), [(1, True), (0, False), (-1, False)])
async def test_a_session_is_over_at_the_very_millisecond_of_its_expiry(
    shop: Store, open_session: OpenSession, *, member: str, early: int, rotates: bool
) -> None:
    session = await open_session(**{member: Instant(5000)})
    now = Instant(5000 - early)
    outcome = decide_refresh(
        await family_of(shop, session), presented(session), now=now, service_now=ServiceInstant(0), policy=POLICY
    )
    assert isinstance(outcome, Rotate if rotates else Expired)
    assert await rotate(shop, session, now=now) is rotates


# --- Opening ---


async def test_an_opened_session_is_read_back_as_it_was_granted(shop: Store, new_session: NewSession) -> None:
    claims = msgspec.json.encode({"tenant": "ä", "seats": 3})
    session = msgspec.structs.replace(new_session, claims=claims, amr=("pwd", "otp"), binding_digest=BINDING)
    await shop.state.beat(ServiceInstant(77))
    assert await shop.sessions.create(session, now=Instant(2000), events=[OPENED])
    family = await family_of(shop, session)
    assert family == RefreshFamily(
        key=session.key,
        sid="sid-1",
        sub="ada",
        client_id="shop",
        generation=0,
        mac_key_id=0,
        scope=session.scope,
        resource="orders",
        resources=session.resources,
        created_at=Instant(2000),
        idle_expires_at=Instant(FAR),
        absolute_expires_at=Instant(FAR),
        rotated=(ServiceInstant(77),) * 4,
        repeats=0,
        shared_generation=None,
        binding_digest=BINDING,
        network="192.0.2.0/24",
        user_agent="Firefox",
        subject_epoch=5,
        granted_client_epoch=7,
        user_epoch=5,
        client_epoch=7,
        ended_at=None,
        ended_reason=None,
    )
    seen = await shop.sessions.find("sid-1", now=Instant(2001))
    assert seen is not None
    assert (seen.sub, seen.client_id, seen.claims, seen.amr) == ("ada", "shop", claims, ("pwd", "otp"))
    assert (seen.created_at, seen.last_used_at, seen.refreshes) == (2000, 2000, 0)


@pytest.mark.parametrize("wrong", [{"subject_epoch": 4}, {"client_epoch": 6}, {"subject_epoch": 6}, {"sub": "eve"}])
async def test_a_session_proven_under_another_epoch_is_not_opened(
    shop: Store, new_session: NewSession, recorded: Recorded, wrong: dict[str, Any]
) -> None:
    session = msgspec.structs.replace(new_session, **wrong)
    assert not await shop.sessions.create(session, now=Instant(2000), events=[OPENED])
    assert await shop.sessions.find_family(session.key) is None
    assert await recorded() == []


@pytest.mark.parametrize("fate", ["disabled", "deleted"])
async def test_no_session_opens_for_a_disabled_or_deleted_user_or_client(
    shop: Store, new_session: NewSession, fate: str
) -> None:
    await doom_user(shop, "ada", fate)
    assert not await shop.sessions.create(new_session, now=Instant(2000), events=[])


async def test_a_log_in_that_raced_a_password_change_leaves_no_session(shop: Store, new_session: NewSession) -> None:
    for number in range(20):
        user = await shop.users.find("ada")
        assert user is not None
        session = msgspec.structs.replace(
            new_session, key=number.to_bytes(20, "big"), sid=f"race-{number}", subject_epoch=user.epoch
        )
        change = shop.users.set_password(
            "ada", password_hash="new", proven_epoch=user.epoch, keep=None, now=Instant(3000), events=[]
        )
        log_in = shop.sessions.create(session, now=Instant(3000), events=[])
        await asyncio.gather(*((change, log_in) if number % 2 else (log_in, change)))
        assert await shop.sessions.count_live(sub="ada", now=Instant(3000)) == 0


# --- Rotating and repeating ---


async def test_a_rotation_gives_the_grant_with_its_user_as_the_statement_read_it(
    shop: Store, open_session: OpenSession
) -> None:
    session = await open_session(claims=b'{"tenant":"x"}')
    await shop.users.set_claims("ada", b'{"department":"sales"}', events=[])
    grant = await shop.sessions.advance(
        presented(session), mac_key_id=3, idle_lifetime=Seconds(100), now=Instant(3000), service_now=ServiceInstant(1)
    )
    assert grant is not None
    assert (grant.sid, grant.generation, grant.mac_key_id, grant.resource) == ("sid-1", 1, 3, "orders")
    assert (grant.scope, grant.auth_time, grant.amr) == (session.scope, 1000, ("pwd",))
    assert grant.claims == b'{"tenant":"x"}'
    assert (grant.subject.sub, grant.subject.roles, grant.subject.epoch) == ("ada", ("clerk",), 5)
    assert grant.subject.claims == {"department": "sales"}


async def test_rotation_never_extends_the_absolute_lifetime(shop: Store, open_session: OpenSession) -> None:
    session = await open_session(absolute_expires_at=Instant(50_000))
    assert await rotate(shop, session, now=3000)
    family = await family_of(shop, session)
    assert (family.idle_expires_at, family.absolute_expires_at) == (50_000, 50_000)


async def test_the_instants_of_the_last_four_rotations_are_kept_newest_first(
    shop: Store, open_session: OpenSession
) -> None:
    session = await open_session()
    for generation in range(6):
        assert await rotate(shop, session, generation, service_now=100 + generation)
    assert (await family_of(shop, session)).rotated == (105, 104, 103, 102)


async def test_one_token_presented_by_fifty_at_once_rotates_once(shop: Store, open_session: OpenSession) -> None:
    session = await open_session()
    rotated = await asyncio.gather(*(rotate(shop, session) for _ in range(50)))
    assert sum(rotated) == 1
    assert (await family_of(shop, session)).generation == 1


async def test_a_repeat_is_counted_with_its_event_and_rotates_nothing(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    session = await open_session()
    await rotate(shop, session)
    before = await family_of(shop, session)
    event = AuditEvent(event="session_repeated", at=4000, actor="client:shop", sub="ada")
    grant = await shop.sessions.repeat(before, shared_generation=1, now=Instant(4000), events=[event])
    assert grant is not None
    assert (grant.generation, grant.mac_key_id) == (1, before.mac_key_id)
    assert await family_of(shop, session) == msgspec.structs.replace(before, repeats=1, shared_generation=1)
    assert await recorded() == [event]


async def test_a_repeat_of_a_row_that_has_moved_on_is_not_counted(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    session = await open_session()
    await rotate(shop, session)
    stale = await family_of(shop, session)
    await rotate(shop, session, 1)
    assert await shop.sessions.repeat(stale, shared_generation=None, now=Instant(3000), events=[OPENED]) is None
    assert await recorded() == []


async def test_of_repeats_that_race_each_is_counted_once(shop: Store, open_session: OpenSession) -> None:
    session = await open_session()
    await rotate(shop, session)
    family = await family_of(shop, session)
    repeats = [
        shop.sessions.repeat(family, shared_generation=None, now=Instant(3000), events=[OPENED]) for _ in range(8)
    ]
    answers = await asyncio.gather(*repeats)
    assert sum(answer is not None for answer in answers) == (await family_of(shop, session)).repeats == 1


async def test_an_ended_session_neither_rotates_nor_repeats(shop: Store, open_session: OpenSession) -> None:
    session = await open_session()
    await rotate(shop, session)
    family = await family_of(shop, session)
    await shop.sessions.end("sid-1", reason="logged_out", now=Instant(3000), events=[])
    assert not await rotate(shop, session, 1)
    assert await shop.sessions.repeat(family, shared_generation=None, now=Instant(3000), events=[]) is None


async def test_a_rotation_resets_the_count_of_repeats(shop: Store, open_session: OpenSession) -> None:
    session = await open_session()
    await rotate(shop, session)
    await shop.sessions.repeat(await family_of(shop, session), shared_generation=None, now=Instant(3000), events=[])
    await rotate(shop, session, 1)
    assert (await family_of(shop, session)).repeats == 0


async def test_a_binding_lets_a_laptop_that_slept_over_the_answer_repeat(
    shop: Store, open_session: OpenSession
) -> None:
    session = await open_session(binding_digest=BINDING)
    await rotate(shop, session, service_now=50)
    family = await family_of(shop, session)
    late = ServiceInstant(50 + 3_600_000)
    bound = presented(session, binding_digest=BINDING)
    assert isinstance(decide_refresh(family, bound, now=Instant(4000), service_now=late, policy=POLICY), Repeat)
    assert await shop.sessions.repeat(family, shared_generation=None, now=Instant(4000), events=[]) is not None


# --- Ending ---


async def test_an_end_is_told_once_with_its_event_and_a_feed_number(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    session = await open_session()
    assert await shop.sessions.end("sid-1", reason="logged_out", now=Instant(3000), events=[ENDED])
    assert not await shop.sessions.end("sid-1", reason="again", now=Instant(3001), events=[ENDED])
    assert not await shop.sessions.end("sid-unknown", reason="never was", now=Instant(3001), events=[ENDED])
    family = await family_of(shop, session)
    assert (family.ended_at, family.ended_reason) == (3000, "logged_out")
    assert await recorded() == [ENDED]
    assert (await shop.state.identity()).feed_number == 1


async def test_reuse_of_a_session_that_has_idled_out_still_ends_it_and_is_recorded(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    session = await open_session()
    await rotate(shop, session, service_now=0)
    family, late = await family_of(shop, session), Instant(3000 + 200_000)
    outcome = decide_refresh(family, presented(session), now=late, service_now=ServiceInstant(60_000), policy=POLICY)
    assert isinstance(outcome, Reused)
    assert await shop.sessions.end("sid-1", reason="refresh_reused", now=late, events=[ENDED])
    assert await recorded() == [ENDED]
    after = decide_refresh(
        await family_of(shop, session), presented(session), now=late, service_now=ServiceInstant(60_000), policy=POLICY
    )
    assert isinstance(after, Ended)


async def test_ending_all_of_a_subject_raises_its_epoch_and_spares_everybody_else(
    shop: Store, open_session: OpenSession
) -> None:
    await open_session(1)
    await open_session(2)
    await open_session(3, idle_expires_at=Instant(2500))
    bob = msgspec.structs.replace(await shop.users.find("ada"), sub="bob", username=None)
    await shop.users.add(bob, username_key=None, email_key=None, password_hash=None, events=[])
    await open_session(4, sub="bob")
    assert await shop.sessions.end_all_of("ada", reason="logged_out", now=Instant(3000), events=[ENDED]) == 2
    ada = await shop.users.find("ada")
    assert ada is not None
    assert ada.epoch == 6
    assert [session.sid for session in await shop.sessions.list_live(sub=None, now=Instant(3000), limit=9)] == ["sid-4"]
    assert (await shop.state.identity()).feed_number == 1


async def test_an_epoch_is_raised_to_the_time_in_seconds_where_that_is_larger(shop: Store) -> None:
    await shop.sessions.end_all_of("ada", reason="test", now=Instant(1_700_000_000_999), events=[])
    await shop.sessions.end_all_of("ada", reason="test", now=Instant(1_700_000_000_999), events=[])
    ada = await shop.users.find("ada")
    assert ada is not None
    assert ada.epoch == 1_700_000_001


async def test_ending_all_of_an_unknown_subject_records_nothing(shop: Store, recorded: Recorded) -> None:
    assert await shop.sessions.end_all_of("nobody", reason="test", now=Instant(3000), events=[ENDED]) == 0
    assert await recorded() == []
    assert (await shop.state.identity()).feed_number == 0


async def test_ending_everything_raises_every_epoch_and_leaves_no_session(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    session = await open_session(1)
    await open_session(2)
    assert await shop.sessions.end_everything(reason="test", now=Instant(3000), events=[ENDED]) == 2
    assert await shop.sessions.count_live(sub=None, now=Instant(3000)) == 0
    family = await family_of(shop, session)
    assert (family.user_epoch, family.client_epoch) == (6, 8)
    assert await recorded() == [ENDED]


async def test_a_refresh_that_raced_the_end_of_its_session_leaves_nothing_alive(
    shop: Store, open_session: OpenSession
) -> None:
    for number in range(1, 21):
        session = await open_session(number)
        refresh, end = (
            rotate(shop, session),
            shop.sessions.end(session.sid, reason="test", now=Instant(3000), events=[]),
        )
        await asyncio.gather(*((refresh, end) if number % 2 else (end, refresh)))
        assert await shop.sessions.find(session.sid, now=Instant(3000)) is None
    assert (await shop.state.identity()).feed_number == 20


# --- Reading ---


async def test_live_sessions_are_listed_newest_first_and_counted(shop: Store, open_session: OpenSession) -> None:
    for number in (2, 1, 3):
        await open_session(number)
    await open_session(4, absolute_expires_at=Instant(2500))
    await shop.sessions.end("sid-2", reason="test", now=Instant(2600), events=[])
    for sub in ("ada", None):
        seen = await shop.sessions.list_live(sub=sub, now=Instant(3000), limit=9)
        assert [session.sid for session in seen] == ["sid-3", "sid-1"]
        assert await shop.sessions.count_live(sub=sub, now=Instant(3000)) == 2
        assert len(await shop.sessions.list_live(sub=sub, now=Instant(3000), limit=1)) == 1
    assert await shop.sessions.list_live(sub="bob", now=Instant(3000), limit=9) == ()
    assert await shop.sessions.count_live(sub="bob", now=Instant(3000)) == 0


@pytest.mark.parametrize("fate", FATES[1:])
async def test_a_session_whose_user_or_client_no_longer_stands_is_not_found(
    shop: Store, open_session: OpenSession, fate: str
) -> None:
    await open_session()
    assert await shop.sessions.find("sid-1", now=Instant(3000)) is not None
    await doom_client(shop, "shop", fate)
    assert await shop.sessions.find("sid-1", now=Instant(3000)) is None
    assert await shop.sessions.count_live(sub="ada", now=Instant(3000)) == 0


async def stands_behind(store: Store, **members: object) -> bool:
    token = {"sid": "sid-1", "sub": "ada", "client_id": "shop", "sub_epoch": 5, "jti": "jti-1", "now": 3000} | members
    return await store.sessions.stands_behind(token.pop("sid"), **token)  # type: ignore[arg-type]  # of many types


@pytest.mark.parametrize("fate", FATES[1:])
async def test_nothing_stands_behind_a_token_whose_user_or_client_no_longer_stands(
    shop: Store, open_session: OpenSession, fate: str
) -> None:
    await open_session()
    assert await stands_behind(shop)
    await doom_client(shop, "shop", fate)
    assert not await stands_behind(shop)


@pytest.mark.parametrize(
    "lie", [{"sid": "sid-2"}, {"sub": "bob"}, {"client_id": "till"}, {"sub_epoch": 4}, {"sub_epoch": 6}, {"now": FAR}]
)
async def test_nothing_stands_behind_a_token_of_another_session_person_client_epoch_or_time(
    shop: Store, open_session: OpenSession, lie: dict[str, object]
) -> None:
    await open_session()
    assert await stands_behind(shop)
    assert not await stands_behind(shop, **lie)


async def test_a_session_that_has_ended_stands_behind_nothing(shop: Store, open_session: OpenSession) -> None:
    await open_session()
    await shop.sessions.end("sid-1", reason="test", now=Instant(3000), events=[])
    assert not await stands_behind(shop)


async def test_a_session_stands_behind_its_tokens_but_for_those_that_were_ended(
    shop: Store, open_session: OpenSession
) -> None:
    await open_session()
    ended = Revocation(kind="jti", value="jti-1", at=Instant(3000), audiences=frozenset({"orders"}), client_id="shop")
    await shop.revocations.end_token(ended, most=9, now=Instant(3000), events=[])
    assert not await stands_behind(shop)
    assert await stands_behind(shop, jti="jti-2")


async def test_a_password_change_leaves_its_own_session_and_none_of_the_tokens_before(
    shop: Store, open_session: OpenSession
) -> None:
    await open_session()
    renewed = RenewedSession(sid="sid-1", key=b"n" * 20, mac_key_id=4, auth_time=Instant(3000), amr=("pwd",))
    epoch = await shop.users.set_password(
        "ada", password_hash="new", proven_epoch=5, keep=renewed, now=Instant(3000), events=[]
    )
    assert not await stands_behind(shop)
    assert await stands_behind(shop, sub_epoch=epoch)


async def test_an_ended_family_is_remembered_until_its_last_token_has_expired(
    shop: Store, open_session: OpenSession
) -> None:
    session = await open_session(1, absolute_expires_at=Instant(9000), idle_expires_at=Instant(8000))
    later = await open_session(2)
    await shop.sessions.end("sid-1", reason="test", now=Instant(3000), events=[])
    assert await shop.sessions.forget_expired(before=Instant(8999), limit=10) == 0
    assert await shop.sessions.forget_expired(before=Instant(9000), limit=10) == 1
    assert await shop.sessions.find_family(session.key) is None
    assert await shop.sessions.find_family(later.key) is not None


async def test_expired_rows_are_forgotten_a_bounded_number_at_a_time(shop: Store, open_session: OpenSession) -> None:
    for number in range(1, 6):
        await open_session(number, absolute_expires_at=Instant(3000))
    assert [await shop.sessions.forget_expired(before=Instant(9000), limit=3) for _ in range(3)] == [3, 2, 0]


async def test_a_family_renewed_by_a_password_change_forgets_what_its_old_tokens_did(
    shop: Store, open_session: OpenSession
) -> None:
    session = await open_session()
    await rotate(shop, session)
    await shop.sessions.repeat(await family_of(shop, session), shared_generation=1, now=Instant(3000), events=[])
    renewed = RenewedSession(sid="sid-1", key=b"n" * 20, mac_key_id=4, auth_time=Instant(4000), amr=("pwd",))
    epoch = await shop.users.set_password(
        "ada", password_hash="new", proven_epoch=5, keep=renewed, now=Instant(4000), events=[]
    )
    family = await shop.sessions.find_family(b"n" * 20)
    assert family is not None
    assert (family.generation, family.repeats, family.shared_generation, family.mac_key_id) == (0, 0, None, 4)
    assert family.subject_epoch == family.user_epoch == epoch
    assert await shop.sessions.find_family(session.key) is None


async def test_a_retreat_makes_the_token_before_current_again(store: Store, open_session: OpenSession) -> None:
    session = await open_session()
    before = await family_of(store, session)
    grant = await store.sessions.advance(
        presented(session, binding_digest=session.binding_digest),
        mac_key_id=7,
        idle_lifetime=Seconds(100),
        now=Instant(3000),
        service_now=ServiceInstant(50),
    )
    assert grant is not None
    assert await store.sessions.retreat(grant, mac_key_id=before.mac_key_id)
    after = await family_of(store, session)
    assert (after.generation, after.mac_key_id) == (before.generation, before.mac_key_id)
    assert after.rotated[:3] == before.rotated[:3]
    assert not await store.sessions.retreat(grant, mac_key_id=before.mac_key_id)


async def test_a_successor_that_a_repeat_handed_out_is_not_taken_back(store: Store, open_session: OpenSession) -> None:
    session = await open_session()
    assert await rotate(store, session)
    family = await family_of(store, session)
    grant = await store.sessions.repeat(family, shared_generation=None, now=Instant(3001), events=[])
    assert grant is not None
    assert not await store.sessions.retreat(grant, mac_key_id=0)
    assert (await family_of(store, session)).generation == 1


async def test_a_mac_key_is_asked_for_until_the_last_live_session_under_it_is_idle_for_too_long(
    shop: Store, open_session: OpenSession
) -> None:
    assert await shop.sessions.latest_idle_expiry(0) is None
    await open_session(1, idle_expires_at=Instant(5000))
    await open_session(2, idle_expires_at=Instant(9000), absolute_expires_at=Instant(8000))
    await open_session(3, idle_expires_at=Instant(99_000), mac_key_id=1)
    await open_session(4, idle_expires_at=Instant(70_000))
    await shop.sessions.end("sid-4", reason="logged_out", now=Instant(2000), events=[])
    assert await shop.sessions.latest_idle_expiry(0) == 8000
    assert await shop.sessions.latest_idle_expiry(1) == 99_000
