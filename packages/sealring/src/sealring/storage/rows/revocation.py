"""Rows of the revocation feed."""

from collections.abc import Iterable
from typing import Any

from sealring.ports import FeedHead
from sealring.protocol.instant import Instant
from sealring.protocol.revocation import FeedEntry, Revocation
from sealring.storage.rows.session import decode_words


def head_of(row: Any) -> FeedHead:  # noqa: ANN401 -- a row
    """Read what FIND_HEAD returns."""
    return FeedHead(incarnation=row[0], number=row[1], digest=row[2])


def entries_of(rows: Iterable[Any]) -> tuple[FeedEntry, ...]:
    """Read what LIST_AFTER and LIST_LIVE return."""
    return tuple(
        FeedEntry(number=number, kind=kind, id=name, audience=audience, epoch=epoch, at=at, until=until)
        for number, kind, name, audience, epoch, at, until in rows
    )


def revocation_of_session(sid: str, resources: str, *, now: Instant) -> Revocation:
    """Say that a session has ended, to every API that its tokens may name. `resources`: its column."""
    return Revocation(kind="sid", value=sid, at=now, audiences=decode_words(resources))


def revocation_of_subject(sub: str, granted: Iterable[str], *, epoch: int, now: Instant) -> Revocation:
    """Say that a subject's tokens below an epoch have ended, to every API that one may name. `granted`: as above."""
    audiences = frozenset[str]().union(*map(decode_words, granted))
    return Revocation(kind="sub", value=sub, epoch=epoch, at=now, audiences=audiences)


def revocation_of_client(client_id: str, *, epoch: int, now: Instant) -> Revocation:
    """Say that a client's tokens below an epoch have ended, to every API: its registration may have named more."""
    return Revocation(kind="client", value=client_id, epoch=epoch, at=now)
