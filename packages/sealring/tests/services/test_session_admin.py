import msgspec
import pytest

from sealring.ports import NewSession
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring.protocol.user import User
from sealring.services.desk import Desk
from sealring.services.session_admin import (
    EndSessions,
    ListSessions,
    SessionList,
    SessionsEnded,
    end_sessions,
    list_sessions,
)

FAR = Instant(10**15)


@pytest.fixture
async def busy_desk(desk: Desk) -> Desk:
    """Ada has two sessions, a subject without a name has one."""
    client = Client(client_id="shop", name="Shop", type="public", allowed={}, epoch=7, created_at=Instant(1000))
    await desk.store.clients.add(client, events=[])
    ada = User(sub="a-1", username="Ada", claims={}, epoch=5, created_at=Instant(1000))
    await desk.store.users.add(ada, username_key="ada", email_key=None, password_hash=None, events=[])
    nameless = User(sub="n-1", claims={}, epoch=5, created_at=Instant(1000))
    await desk.store.users.add_subject(nameless, events=[])
    for number, sub in enumerate(("a-1", "a-1", "n-1")):
        session = NewSession(
            key=bytes([number]) * 20,
            sid=f"sid-{number}",
            sub=sub,
            client_id="shop",
            subject_epoch=5,
            client_epoch=7,
            mac_key_id=0,
            scope=frozenset({"orders:read"}),
            resource="orders",
            resources=frozenset({"orders"}),
            auth_time=Instant(1000),
            amr=("pwd",),
            claims=None,
            idle_expires_at=FAR,
            absolute_expires_at=FAR,
            binding_digest=None,
            network="192.0.2.0/24",
            user_agent="Firefox",
        )
        assert await desk.store.sessions.create(session, now=Instant(1000), events=[])
    return desk


async def listed(desk: Desk, user: str | None = None, limit: int = 100) -> SessionList:
    found = await list_sessions(ListSessions(user=user, limit=limit), store=desk.store, clock=desk.clock)
    assert isinstance(found, SessionList)
    return found


async def end(desk: Desk, request: EndSessions) -> SessionsEnded | OAuthError:
    return await end_sessions(request, store=desk.store, clock=desk.clock, actor="cli:root")


async def events(desk: Desk) -> list[tuple[str, str | None, str | None]]:
    rows = await desk.store.audit.list_events(after=0, limit=10)
    return [(recorded.event.event, recorded.event.sub, recorded.event.sid) for _, recorded in rows]


async def test_sessions_are_listed_with_names_and_counted_beyond_the_limit(busy_desk: Desk) -> None:
    everybody = await listed(busy_desk, limit=2)
    assert everybody.live == 3
    assert [(session.sid, session.login_name) for session in everybody.sessions] == [("sid-2", None), ("sid-1", "Ada")]
    for name in ("ada", "a-1"):
        assert {session.sid for session in (await listed(busy_desk, name)).sessions} == {"sid-0", "sid-1"}


async def test_one_session_is_ended_once(busy_desk: Desk) -> None:
    assert await end(busy_desk, EndSessions(sid="sid-0")) == SessionsEnded(sub="a-1", sessions=1)
    again = await end(busy_desk, EndSessions(sid="sid-0"))
    assert isinstance(again, OAuthError)
    assert again.code == "session_not_found"
    assert (await listed(busy_desk)).live == 2
    assert await events(busy_desk) == [("session_ended", "a-1", "sid-0")]


async def test_a_users_sessions_end_by_its_epoch(busy_desk: Desk) -> None:
    assert await end(busy_desk, EndSessions(user="ADA")) == SessionsEnded(sub="a-1", sessions=2)
    assert {session.sid for session in (await listed(busy_desk)).sessions} == {"sid-2"}
    ada = await busy_desk.store.users.find("a-1")
    assert ada is not None
    assert ada.epoch > 5
    assert await events(busy_desk) == [("sessions_ended", "a-1", None)]


async def test_everybodys_sessions_end(busy_desk: Desk) -> None:
    assert await end(busy_desk, EndSessions(everybody=True)) == SessionsEnded(sub=None, sessions=3)
    assert (await listed(busy_desk)).live == 0
    assert await events(busy_desk) == [("sessions_ended", None, None)]


@pytest.mark.parametrize(
    "request_", [EndSessions(), EndSessions(sid="sid-0", user="ada"), EndSessions(user="ada", everybody=True)]
)
async def test_an_end_that_is_not_said_plainly_ends_nothing(busy_desk: Desk, request_: EndSessions) -> None:
    refused = await end(busy_desk, request_)
    assert isinstance(refused, OAuthError)
    assert refused.code == "missing_parameter"
    assert (await listed(busy_desk)).live == 3


async def test_unknown_users_and_foolish_limits_are_refused(busy_desk: Desk) -> None:
    for request, code in (
        (ListSessions(user="bob"), "unknown_user"),
        (ListSessions(limit=0), "invalid_parameter"),
        (ListSessions(limit=1001), "invalid_parameter"),
    ):
        refused = await list_sessions(request, store=busy_desk.store, clock=busy_desk.clock)
        assert isinstance(refused, OAuthError)
        assert refused.code == code
    refused = await end(busy_desk, EndSessions(user="bob"))
    assert isinstance(refused, OAuthError)
    assert refused.code == "unknown_user"


async def test_what_a_back_end_said_of_its_user_is_not_listed(busy_desk: Desk) -> None:
    assert b"claims" not in msgspec.json.encode(await listed(busy_desk))
