import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from sealring.ports import NewSession, RenewedSession, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.user import User

OpenSession = Callable[..., Awaitable[NewSession]]
Recorded = Callable[[], Awaitable[list[AuditEvent]]]
EVENT = AuditEvent(event="user_changed", at=3000, actor="cli:test", sub="ada")
BOB = User(
    sub="bob",
    username="Bób",
    email="Bob@Example.com",
    roles=("clerk", "buyer"),
    claims={"department": {"floor": 3, "names": ["sales", None, True]}},
    administrator=True,
    demo=True,
    epoch=9,
    created_at=1234,
)
RENEWED = RenewedSession(
    sid="sid-1", key=b"n" * 20, mac_key_id=0, auth_time=Instant(3000), amr=("pwd",), binding_digest=b"b" * 32
)


async def add_bob(store: Store, **members: object) -> bool:
    user = msgspec.structs.replace(BOB, **members)
    return await store.users.add(
        user, username_key="bób", email_key="bob@example.com", password_hash="hash-b", events=[EVENT]
    )


async def epoch_of(store: Store, sub: str) -> int:
    user = await store.users.find(sub)
    assert user is not None
    return user.epoch


# --- Adding and finding ---


async def test_a_user_is_read_back_as_added_by_sub_and_by_both_names(store: Store) -> None:
    assert await add_bob(store)
    assert await store.users.find("bob") == BOB
    for key in ("bób", "bob@example.com"):
        credentials = await store.users.find_by_login(key)
        assert credentials is not None
        assert (credentials.user, credentials.password_hash) == (BOB, "hash-b")
    assert await store.users.find_credentials("bob") == credentials


async def test_nobody_is_found_under_a_name_that_nobody_has(shop: Store) -> None:
    assert await shop.users.find("nobody") is None
    assert await shop.users.find_by_login("nobody") is None
    assert await shop.users.find_by_login("nobody@example.com") is None
    assert await shop.users.find_credentials("nobody") is None


async def test_a_user_name_is_not_found_as_an_address_nor_the_other_way(store: Store) -> None:
    await store.users.add(BOB, username_key="bob", email_key="ada@example.com", password_hash="h", events=[])
    assert await store.users.find_by_login("bob@example.com") is None
    assert await store.users.find_by_login("ada") is None


@pytest.mark.parametrize(
    ("sub", "username_key", "email_key"),
    [("bob", "other", "other@x"), ("other", "bób", "other@x"), ("other", "other", "bob@example.com")],
)
async def test_a_taken_sub_name_or_address_adds_nobody_and_records_nothing(
    store: Store, recorded: Recorded, *, sub: str, username_key: str, email_key: str
) -> None:
    await add_bob(store)
    newcomer = msgspec.structs.replace(BOB, sub=sub, claims={})
    added = await store.users.add(
        newcomer, username_key=username_key, email_key=email_key, password_hash="h", events=[EVENT]
    )
    assert not added
    assert await store.users.find("bob") == BOB
    assert await store.users.find("other") is None
    assert await recorded() == [EVENT]


async def test_of_twenty_who_race_for_a_name_one_gets_it(store: Store, recorded: Recorded) -> None:
    added = await asyncio.gather(*(add_bob(store, sub=f"bob-{number}") for number in range(20)))
    assert sum(added) == 1
    assert len(await store.users.list_all(after=None, limit=100)) == 1
    assert await recorded() == [EVENT]


async def test_users_without_names_do_not_stand_in_each_others_way(store: Store) -> None:
    for sub in ("s-1", "s-2"):
        user = User(sub=sub, claims={}, epoch=1, created_at=1)
        assert await store.users.add(user, username_key=None, email_key=None, password_hash=None, events=[])


async def test_users_are_listed_in_pages_by_sub(store: Store) -> None:
    for sub in ("c", "a", "b"):
        user = User(sub=sub, claims={}, epoch=1, created_at=1)
        await store.users.add(user, username_key=None, email_key=None, password_hash=None, events=[])
    assert [user.sub for user in await store.users.list_all(after=None, limit=2)] == ["a", "b"]
    assert [user.sub for user in await store.users.list_all(after="b", limit=2)] == ["c"]


async def test_a_subject_of_a_back_end_is_added_once_even_when_raced(store: Store, recorded: Recorded) -> None:
    newcomers = [User(sub="s-1", claims={}, epoch=epoch, created_at=1) for epoch in range(1, 9)]
    found = await asyncio.gather(*(store.users.add_subject(user, events=[EVENT]) for user in newcomers))
    assert len({user.epoch for user in found if user is not None}) == 1
    assert None not in found
    assert await recorded() == [EVENT]


async def test_a_known_subject_is_returned_as_it_is(shop: Store, recorded: Recorded) -> None:
    newcomer = User(sub="ada", claims={"forged": True}, epoch=99, created_at=99)
    assert await shop.users.add_subject(newcomer, events=[EVENT]) == await shop.users.find("ada")
    assert await recorded() == []


async def test_nobody_is_called_as_a_client_is_not_even_as_a_deleted_one(shop: Store, recorded: Recorded) -> None:
    person = User(sub="shop", claims={}, epoch=1, created_at=1)
    for deleted in (False, True):
        if deleted:
            await shop.clients.delete("shop", now=Instant(5000), events=[])
        assert await shop.users.add_subject(person, events=[EVENT]) is None
        assert not await shop.users.add(person, username_key=None, email_key=None, password_hash=None, events=[EVENT])
        assert await shop.users.find("shop") is None
    assert await recorded() == []


# --- Passwords ---


async def test_a_new_password_raises_the_epoch_and_ends_the_sessions_with_its_event(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    await open_session(1)
    await open_session(2)
    epoch = await shop.users.set_password(
        "ada", password_hash="hash-2", proven_epoch=5, keep=None, now=Instant(3000), events=[EVENT]
    )
    assert epoch == await epoch_of(shop, "ada") == 6
    assert await shop.sessions.count_live(sub="ada", now=Instant(3000)) == 0
    credentials = await shop.users.find_by_login("ada")
    assert credentials is not None
    assert credentials.password_hash == "hash-2"
    assert await recorded() == [EVENT]
    assert (await shop.state.identity()).feed_number == 1


async def test_a_password_change_keeps_exactly_the_session_that_made_it(shop: Store, open_session: OpenSession) -> None:
    first = await open_session(1, idle_expires_at=Instant(900_000))
    for number in (2, 3):
        await open_session(number)
    epoch = await shop.users.set_password(
        "ada", password_hash="hash-2", proven_epoch=5, keep=RENEWED, now=Instant(3000), events=[]
    )
    live = await shop.sessions.list_live(sub="ada", now=Instant(3000), limit=9)
    assert [(session.sid, session.auth_time) for session in live] == [("sid-1", 3000)]
    assert await shop.sessions.find_family(first.key) is None
    family = await shop.sessions.find_family(RENEWED.key)
    assert family is not None
    assert family.binding_digest == b"b" * 32
    assert (family.subject_epoch, family.user_epoch) == (epoch, epoch)
    assert (family.idle_expires_at, family.absolute_expires_at) == (900_000, first.absolute_expires_at)
    assert (family.scope, family.client_id, family.created_at) == (first.scope, "shop", 2000)


@pytest.mark.parametrize("proven_epoch", [4, 6])
async def test_a_password_proven_under_another_epoch_changes_nothing(
    shop: Store, open_session: OpenSession, recorded: Recorded, proven_epoch: int
) -> None:
    await open_session()
    changed = await shop.users.set_password(
        "ada", password_hash="hash-2", proven_epoch=proven_epoch, keep=RENEWED, now=Instant(3000), events=[EVENT]
    )
    assert changed is None
    credentials = await shop.users.find_credentials("ada")
    assert credentials is not None
    assert (credentials.password_hash, credentials.user.epoch) == ("hash-1", 5)
    assert await shop.sessions.find("sid-1", now=Instant(3000)) is not None
    assert await recorded() == []


async def test_a_session_that_has_ended_can_no_longer_change_the_password(
    shop: Store, open_session: OpenSession
) -> None:
    await open_session(1)
    await open_session(2)
    await shop.sessions.end("sid-1", reason="logged_out", now=Instant(2500), events=[])
    changed = await shop.users.set_password(
        "ada", password_hash="hash-2", proven_epoch=5, keep=RENEWED, now=Instant(3000), events=[EVENT]
    )
    assert changed is None
    assert await epoch_of(shop, "ada") == 5
    assert await shop.sessions.find("sid-2", now=Instant(3000)) is not None


async def test_of_two_password_changes_that_race_one_holds(shop: Store) -> None:
    changes = [
        shop.users.set_password("ada", password_hash=text, proven_epoch=5, keep=None, now=Instant(3000), events=[EVENT])
        for text in ("hash-2", "hash-3")
    ]
    epochs = await asyncio.gather(*changes)
    assert sorted(epochs, key=str) == [6, None]


async def test_an_operator_sets_a_password_under_any_epoch_but_for_nobody_who_is_gone(shop: Store) -> None:
    await shop.users.set_disabled("ada", disabled=True, now=Instant(3000), events=[])
    change = {"password_hash": "hash-2", "proven_epoch": None, "keep": None, "now": Instant(3000), "events": []}
    assert await shop.users.set_password("ada", **change) == 7
    assert await shop.users.set_password("nobody", **change) is None
    await shop.users.delete("ada", now=Instant(3000), events=[])
    assert await shop.users.set_password("ada", **change) is None


async def test_a_disabled_user_cannot_change_the_password_under_an_old_proof(shop: Store) -> None:
    await shop.users.set_disabled("ada", disabled=True, now=Instant(3000), events=[])
    changed = await shop.users.set_password(
        "ada", password_hash="x", proven_epoch=6, keep=None, now=Instant(3000), events=[]
    )
    assert changed is None


async def test_a_hash_is_brought_up_to_date_only_while_it_is_still_the_one_that_matched(
    shop: Store, recorded: Recorded
) -> None:
    assert not await shop.users.rehash("ada", old="hash-0", new="hash-9", events=[EVENT])
    assert await recorded() == []
    assert await shop.users.rehash("ada", old="hash-1", new="hash-1b", events=[EVENT])
    credentials = await shop.users.find_credentials("ada")
    assert credentials is not None
    assert (credentials.password_hash, credentials.user.epoch) == ("hash-1b", 5)
    assert await recorded() == [EVENT]


# --- Disabling, changing, deleting ---


async def test_disabling_raises_the_epoch_and_ends_the_sessions_and_enabling_brings_none_back(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    await open_session(1)
    await open_session(2)
    assert await shop.users.set_disabled("ada", disabled=True, now=Instant(3000), events=[EVENT]) == 2
    ada = await shop.users.find("ada")
    assert ada is not None
    assert (ada.disabled_at, ada.epoch) == (3000, 6)
    assert await shop.users.set_disabled("ada", disabled=False, now=Instant(4000), events=[EVENT]) == 0
    ada = await shop.users.find("ada")
    assert ada is not None
    assert (ada.disabled_at, ada.epoch) == (None, 6)
    assert await shop.sessions.count_live(sub="ada", now=Instant(4000)) == 0
    assert await recorded() == [EVENT, EVENT]
    assert (await shop.state.identity()).feed_number == 1


async def test_roles_and_claims_are_replaced_without_touching_sessions(shop: Store, open_session: OpenSession) -> None:
    await open_session()
    assert await shop.users.set_roles("ada", ("buyer", "clerk"), events=[EVENT])
    assert await shop.users.set_claims("ada", '{"floor":"über"}'.encode(), events=[EVENT])
    ada = await shop.users.find("ada")
    assert ada is not None
    assert (ada.roles, ada.claims, ada.epoch) == (("buyer", "clerk"), {"floor": "über"}, 5)
    assert await shop.sessions.find("sid-1", now=Instant(3000)) is not None


async def test_every_act_on_an_unknown_user_says_so_and_records_nothing(store: Store, recorded: Recorded) -> None:
    users = store.users
    assert await users.set_disabled("nobody", disabled=True, now=Instant(1), events=[EVENT]) is None
    assert await users.set_disabled("nobody", disabled=False, now=Instant(1), events=[EVENT]) is None
    assert await users.delete("nobody", now=Instant(1), events=[EVENT]) is None
    assert not await users.set_roles("nobody", (), events=[EVENT])
    assert not await users.set_claims("nobody", b"{}", events=[EVENT])
    assert not await users.rehash("nobody", old="a", new="b", events=[EVENT])
    assert await recorded() == []
    assert (await store.state.identity()).feed_number == 0


async def test_a_deleted_user_is_gone_and_the_name_is_free_again(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    await open_session()
    assert await shop.users.delete("ada", now=Instant(3000), events=[EVENT]) == 1
    assert await shop.users.find("ada") is None
    assert await shop.users.find_by_login("ada") is None
    assert await shop.users.find_credentials("ada") is None
    assert await shop.users.list_all(after=None, limit=9) == ()
    assert await shop.sessions.count_live(sub=None, now=Instant(3000)) == 0
    assert await shop.users.delete("ada", now=Instant(3000), events=[EVENT]) is None
    assert await recorded() == [EVENT]
    newcomer = User(sub="ada-2", username="Ada", claims={}, epoch=1, created_at=1)
    assert await shop.users.add(newcomer, username_key="ada", email_key=None, password_hash="h", events=[])


async def test_a_deleted_sub_never_comes_back(shop: Store, open_session: OpenSession) -> None:
    session = await open_session()
    await shop.users.delete("ada", now=Instant(3000), events=[])
    newcomer = User(sub="ada", claims={}, epoch=5, created_at=4000)
    assert not await shop.users.add(newcomer, username_key=None, email_key=None, password_hash=None, events=[EVENT])
    asserted = await shop.users.add_subject(newcomer, events=[EVENT])
    assert asserted.disabled_at is not None
    assert asserted.epoch == 6
    assert await shop.users.set_disabled("ada", disabled=False, now=Instant(4000), events=[EVENT]) is None
    again = msgspec.structs.replace(session, key=b"a" * 20, sid="sid-9", subject_epoch=6)
    assert not await shop.sessions.create(again, now=Instant(4000), events=[EVENT])


async def test_deleting_erases_what_the_audit_knows_personally_and_the_chain_still_holds(
    shop: Store, recorded: Recorded
) -> None:
    of_ada = msgspec.structs.replace(EVENT, personal={"user_agent": "Firefox"})
    of_bob = msgspec.structs.replace(of_ada, sub="bob")
    await shop.audit.record([of_ada, of_bob])
    # In one commit with the deletion, before it and after it.
    await asyncio.gather(
        shop.audit.record([of_ada, of_bob]),
        shop.users.delete("ada", now=Instant(3000), events=[EVENT]),
    )
    assert await recorded() == [EVENT, of_bob, EVENT, of_bob, EVENT]


# --- One-use links ---


async def spend(
    store: Store, sub: str, digest: bytes, *, username_key: str | None = None, now: int = 3000
) -> bool | None:
    return await store.users.spend_link(
        digest,
        user=User(sub=sub, claims={}, administrator=True, epoch=1, created_at=1),
        username_key=username_key or sub,
        email_key=None,
        password_hash="hash",
        now=Instant(now),
        events=[EVENT],
    )


async def test_a_link_makes_one_administrator_even_when_raced(store: Store, recorded: Recorded) -> None:
    await store.users.add_link(b"d" * 32, expires_at=Instant(4000), events=[EVENT])
    spent = await asyncio.gather(*(spend(store, f"admin-{number}", b"d" * 32) for number in range(10)))
    assert sorted(spent, key=str) == [None] * 9 + [True]
    (administrator,) = await store.users.list_all(after=None, limit=9)
    assert administrator.administrator
    assert await recorded() == [EVENT, EVENT]


async def test_a_link_is_worth_nothing_unknown_or_from_the_instant_of_its_expiry(store: Store) -> None:
    await store.users.add_link(b"d" * 32, expires_at=Instant(4000), events=[])
    assert await spend(store, "admin", b"e" * 32) is None
    assert await spend(store, "admin", b"d" * 32, now=4000) is None
    assert await store.users.find("admin") is None
    assert await spend(store, "admin", b"d" * 32, now=3999) is True


async def test_a_link_whose_name_was_taken_stays_good(shop: Store, recorded: Recorded) -> None:
    await shop.users.add_link(b"d" * 32, expires_at=Instant(4000), events=[])
    assert await spend(shop, "admin", b"d" * 32, username_key="ada") is False
    assert await recorded() == []
    assert await spend(shop, "admin", b"d" * 32, username_key="grace") is True
