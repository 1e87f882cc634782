from collections.abc import Awaitable, Callable

from sealring.ports import LogoutNotice, Store
from sealring.protocol.audit_event import AuditEvent

OpenSession = Callable[..., Awaitable[object]]
Recorded = Callable[[], Awaitable[list[AuditEvent]]]

TOLD = AuditEvent(event="session_ended", at=4000, actor="sealring")


async def test_an_end_is_owed_to_a_client_that_wants_to_know(shop: Store, open_session: OpenSession) -> None:
    await open_session(1, backchannel_logout=True)
    await open_session(2)
    assert await shop.logout_notices.list_due(now=3000, limit=10) == ()
    await shop.sessions.end_all_of("ada", reason="ended_by_user", now=3000, events=[])
    owed = LogoutNotice(sid="sid-1", sub="ada", client_id="shop", ended_at=3000, attempts=0)
    assert await shop.logout_notices.list_due(now=3000, limit=10) == (owed,)


async def test_a_postponed_notice_is_due_again_at_its_instant(shop: Store, open_session: OpenSession) -> None:
    await open_session(1, backchannel_logout=True)
    await shop.sessions.end("sid-1", reason="logged_out", now=3000, events=[])
    await shop.logout_notices.postpone("sid-1", due_at=9000)
    assert await shop.logout_notices.list_due(now=8999, limit=10) == ()
    (due,) = await shop.logout_notices.list_due(now=9000, limit=10)
    assert due.attempts == 1


async def test_a_notice_is_closed_once(shop: Store, open_session: OpenSession, recorded: Recorded) -> None:
    await open_session(1, backchannel_logout=True)
    await shop.sessions.end("sid-1", reason="logged_out", now=3000, events=[])
    await shop.logout_notices.close("sid-1", events=[TOLD])
    await shop.logout_notices.close("sid-1", events=[TOLD])
    assert await shop.logout_notices.list_due(now=9000, limit=10) == ()
    assert len(await recorded()) == 1


async def test_no_more_is_listed_than_was_asked_for_and_longest_due_first(
    shop: Store, open_session: OpenSession
) -> None:
    for number in (1, 2, 3):
        await open_session(number, backchannel_logout=True)
        await shop.sessions.end(f"sid-{number}", reason="logged_out", now=3000, events=[])
    await shop.logout_notices.postpone("sid-1", due_at=5000)
    due = await shop.logout_notices.list_due(now=6000, limit=2)
    assert {notice.sid for notice in due} == {"sid-2", "sid-3"}
