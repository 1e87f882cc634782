from urllib.parse import urlsplit

import msgspec

from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring.protocol.secret import Secret
from sealring.protocol.user import User
from sealring.services.administrator import (
    AdministratorLink,
    EnrollAdministrator,
    enroll_administrator,
    make_administrator_link,
)
from sealring.services.desk import Desk


async def make_link(desk: Desk) -> AdministratorLink:
    return await make_administrator_link(
        store=desk.store, issuer=desk.issuer, clock=desk.clock, randomness=desk.randomness, actor="cli:root"
    )


async def enroll(
    desk: Desk, secret: str, *, username: str = "root", password: str = "lamp-orbit-cedar-violin"
) -> object:
    return await enroll_administrator(
        EnrollAdministrator(link_secret=Secret(secret), username=username, password=Secret(password)),
        store=desk.store,
        hashing=desk.hashing,
        password_policy=desk.password_policy,
        clock=desk.clock,
        randomness=desk.randomness,
    )


def secret_of(link: AdministratorLink) -> str:
    return urlsplit(link.url.reveal()).fragment


def code_of(outcome: object) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


async def test_the_secret_of_a_link_stands_in_its_fragment_alone(desk: Desk) -> None:
    link = await make_link(desk)
    assert link.url.reveal().startswith("https://auth.example/admin/enroll#slk_")
    assert len(secret_of(link)) == 47
    assert link.expires_at == desk.clock() + 15 * 60 * 1000
    events = await desk.store.audit.list_events(after=0, limit=10)
    assert secret_of(link) not in str(events)


async def test_a_link_makes_one_administrator_once(desk: Desk) -> None:
    secret = secret_of(await make_link(desk))
    user = await enroll(desk, secret)
    assert isinstance(user, User)
    assert user.administrator
    assert await desk.store.users.find(user.sub) == user
    assert code_of(await enroll(desk, secret, username="second")) == "link_refused"
    (_, made), (_, enrolled) = await desk.store.audit.list_events(after=0, limit=10)
    assert (made.event.event, enrolled.event.event) == ("administrator_link_made", "administrator_enrolled")
    assert enrolled.event.actor == f"user:{user.sub}"


async def test_a_taken_name_or_a_weak_password_leaves_the_link_good(desk: Desk) -> None:
    await enroll(desk, secret_of(await make_link(desk)))
    secret = secret_of(await make_link(desk))
    assert code_of(await enroll(desk, secret)) == "login_name_taken"
    assert code_of(await enroll(desk, secret, username="second", password="short")) == "password_refused"
    assert isinstance(await enroll(desk, secret, username="second"), User)


async def test_a_late_a_foreign_and_a_garbled_link_are_refused_alike(desk: Desk) -> None:
    link = await make_link(desk)
    late = msgspec.structs.replace(desk, clock=lambda: link.expires_at)
    assert code_of(await enroll(late, secret_of(link))) == "link_refused"
    assert code_of(await enroll(desk, "slk_" + "A" * 43)) == "link_refused"
    assert code_of(await enroll(desk, "x" * 10_000)) == "link_refused"
    just_in_time = msgspec.structs.replace(desk, clock=lambda: Instant(link.expires_at - 1))
    assert isinstance(await enroll(just_in_time, secret_of(link)), User)
