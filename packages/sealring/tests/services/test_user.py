from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from sealring.credentials.password_hash import Match
from sealring.credentials.password_policy import prepare_password
from sealring.ports import HashingBusy
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import OAuthError
from sealring.protocol.secret import Secret
from sealring.protocol.user import User
from sealring.services.desk import Desk
from sealring.services.user import (
    AddUser,
    ListUsers,
    SetClaims,
    SetPassword,
    SetRoles,
    UserEnded,
    UserList,
    UserNamed,
    add_user,
    delete_user,
    find_user,
    list_users,
    set_claims,
    set_password,
    set_roles,
    set_user_disabled,
)

PASSPHRASE = "lamp-orbit-cedar-violin"
OTHER = "spoon-delta-harbour-wax"


async def add(desk: Desk, **members: object) -> User | OAuthError:
    request = msgspec.structs.replace(AddUser(username="Ada", password=Secret(PASSPHRASE)), **members)
    return await add_user(
        request,
        store=desk.store,
        hashing=desk.hashing,
        password_policy=desk.password_policy,
        clock=desk.clock,
        randomness=desk.randomness,
        actor="cli:root",
    )


async def added(desk: Desk, **members: object) -> User:
    user = await add(desk, **members)
    assert isinstance(user, User)
    return user


def acting(desk: Desk) -> Mapping[str, Any]:
    return {"store": desk.store, "clock": desk.clock, "actor": "cli:root"}


async def events(desk: Desk) -> list[AuditEvent]:
    return [recorded.event for _, recorded in await desk.store.audit.list_events(after=0, limit=100)]


def code_of(outcome: object) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


async def test_a_user_is_added_under_a_random_sub_with_roles_claims_and_password(desk: Desk) -> None:
    user = await added(desk, email="Ada@Example.com", roles=("b", "a"), claims={"plan": "gold"})
    assert len(user.sub) == 22
    assert (user.roles, user.claims, user.epoch) == (("a", "b"), {"plan": "gold"}, 1_700_000_000)
    credentials = await desk.store.users.find_by_login("ada")
    assert credentials is not None
    prepared = prepare_password(PASSPHRASE)
    assert isinstance(prepared, bytes)
    assert isinstance(await desk.hashing.verify(credentials.password_hash, prepared), Match)
    assert await desk.store.users.find_by_login("ada@example.com") == credentials


async def test_the_event_keeps_names_in_its_personal_part_alone(desk: Desk) -> None:
    user = await added(desk, administrator=True)
    (event,) = await events(desk)
    assert (event.event, event.actor, event.sub) == ("user_added", "cli:root", user.sub)
    assert event.personal == {"username": "Ada"}
    assert event.details["administrator"] == 1
    assert "Ada" not in str(event.details)


async def test_a_taken_name_is_refused_whatever_its_case_and_leaves_no_event(desk: Desk) -> None:
    await added(desk)
    assert code_of(await add(desk, username="ADA")) == "login_name_taken"
    assert len(await events(desk)) == 1


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"username": None}, "invalid_login_name"),
        ({"username": "two words"}, "invalid_login_name"),
        ({"username": "ada@example.com"}, "invalid_login_name"),
        ({"username": "a" * 10_000}, "invalid_login_name"),
        ({"email": "nobody"}, "invalid_login_name"),
        ({"password": Secret("short")}, "password_refused"),
        ({"password": Secret("Ada" * 8)}, "password_refused"),
        ({"roles": ("two words",)}, "invalid_parameter"),
        ({"claims": {"sub": "somebody"}}, "reserved_claim"),
        ({"claims": {"roles": ["admin"]}}, "reserved_claim"),
        ({"claims": {"plan": "nul\x00"}}, "invalid_parameter"),
    ],
)
async def test_what_cannot_be_added_is_refused_and_nothing_is_written(
    desk: Desk, members: dict[str, Any], code: str
) -> None:
    assert code_of(await add(desk, **members)) == code
    assert await events(desk) == []


async def test_a_refused_password_is_not_in_the_refusal(desk: Desk) -> None:
    refused = await add(desk, password=Secret("hunter22"))
    assert "hunter22" not in str(refused)


async def test_a_full_hashing_queue_asks_to_wait(desk: Desk) -> None:
    class Busy:
        async def hash(self, _prepared: bytes, **_: bool) -> HashingBusy:
            return HashingBusy()

        async def verify(self, _password_hash: str | None, _prepared: bytes, **_: bool) -> HashingBusy:
            return HashingBusy()

    refused = await add(msgspec.structs.replace(desk, hashing=Busy()))
    assert isinstance(refused, OAuthError)
    assert (refused.code, refused.retry_after) == ("sign_in_busy", 1)


async def test_a_user_is_found_by_sub_name_and_address(desk: Desk) -> None:
    user = await added(desk, email="ada@example.com")
    for name in (user.sub, f"sub:{user.sub}", "ADA", "ada@EXAMPLE.com"):
        assert await find_user(name, store=desk.store) == user
    for name in ("nobody", "sub:ada", "", "two words"):
        assert code_of(await find_user(name, store=desk.store)) == "unknown_user"


async def test_a_name_that_is_also_anothers_sub_is_refused_as_ambiguous(desk: Desk) -> None:
    ada = await added(desk)
    imposter = await added(desk, username=ada.sub)
    assert code_of(await find_user(ada.sub, store=desk.store)) == "ambiguous_user"
    assert await find_user(f"sub:{ada.sub}", store=desk.store) == ada
    assert await find_user(imposter.sub, store=desk.store) == imposter


async def test_users_are_listed_in_pages(desk: Desk) -> None:
    subs = sorted([(await added(desk, username=f"user{n}", password=None)).sub for n in range(3)])
    first = await list_users(ListUsers(limit=2), store=desk.store)
    assert isinstance(first, UserList)
    rest = await list_users(ListUsers(after=first.users[-1].sub), store=desk.store)
    assert isinstance(rest, UserList)
    assert [user.sub for user in first.users + rest.users] == subs
    assert (first.more, rest.more) == (True, False)
    assert code_of(await list_users(ListUsers(limit=0), store=desk.store)) == "invalid_parameter"


async def test_disabling_raises_the_epoch_and_enabling_does_not_lower_it(desk: Desk) -> None:
    user = await added(desk)
    outcome = await set_user_disabled(UserNamed(user="ada"), disabled=True, **acting(desk))
    assert outcome == UserEnded(sub=user.sub, sessions=0)
    disabled = await find_user("ada", store=desk.store)
    assert isinstance(disabled, User)
    assert (disabled.epoch, disabled.disabled_at) == (user.epoch + 1, 1_700_000_000_000)
    await set_user_disabled(UserNamed(user="ada"), disabled=False, **acting(desk))
    enabled = await find_user("ada", store=desk.store)
    assert enabled == msgspec.structs.replace(disabled, disabled_at=None)
    assert [event.event for event in await events(desk)] == ["user_added", "user_disabled", "user_enabled"]


async def test_deleting_erases_names_also_in_the_audit(desk: Desk) -> None:
    user = await added(desk)
    assert isinstance(await delete_user(UserNamed(user="ada"), **acting(desk)), UserEnded)
    assert code_of(await find_user(user.sub, store=desk.store)) == "unknown_user"
    assert all(event.personal == {} for event in await events(desk))


async def test_an_operators_password_raises_the_epoch(desk: Desk) -> None:
    user = await added(desk)
    outcome = await set_password(
        SetPassword(user="ada", password=Secret(OTHER)),
        hashing=desk.hashing,
        password_policy=desk.password_policy,
        **acting(desk),
    )
    assert isinstance(outcome, UserEnded)
    credentials = await desk.store.users.find_credentials(user.sub)
    assert credentials is not None
    assert credentials.user.epoch == user.epoch + 1
    assert isinstance(await desk.hashing.verify(credentials.password_hash, OTHER.encode()), Match)


async def test_a_subject_without_names_gets_no_password(desk: Desk) -> None:
    subject = User(sub="asserted-1", claims={}, epoch=1, created_at=desk.clock())
    await desk.store.users.add_subject(subject, events=[])
    outcome = await set_password(
        SetPassword(user="asserted-1", password=Secret(OTHER)),
        hashing=desk.hashing,
        password_policy=desk.password_policy,
        **acting(desk),
    )
    assert code_of(outcome) == "invalid_login_name"


async def test_roles_and_claims_are_replaced_and_recorded(desk: Desk) -> None:
    await added(desk, roles=("old",), claims={"old": 1})
    await set_roles(SetRoles(user="ada", roles=("clerk",)), **acting(desk))
    outcome = await set_claims(SetClaims(user="ada", claims={"plan": "gold"}), **acting(desk))
    user = await find_user("ada", store=desk.store)
    assert outcome == user
    assert isinstance(user, User)
    assert (user.roles, user.claims) == (("clerk",), {"plan": "gold"})
    assert [event.details for event in await events(desk)][1:] == [{"roles": "clerk"}, {"claims": "plan"}]


async def test_acts_on_an_unknown_user_are_refused(desk: Desk) -> None:
    assert code_of(await set_roles(SetRoles(user="bob", roles=()), **acting(desk))) == "unknown_user"
    assert code_of(await set_claims(SetClaims(user="bob", claims={}), **acting(desk))) == "unknown_user"
    assert code_of(await delete_user(UserNamed(user="bob"), **acting(desk))) == "unknown_user"
    assert code_of(await set_user_disabled(UserNamed(user="bob"), disabled=True, **acting(desk))) == "unknown_user"


def test_a_request_shows_no_password() -> None:
    assert PASSPHRASE not in repr(AddUser(username="ada", password=Secret(PASSPHRASE)))
