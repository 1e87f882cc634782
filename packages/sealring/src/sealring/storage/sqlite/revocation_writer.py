"""Writes what acts ended into the feed, as the last statements of their transaction (SECURITY B1)."""

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from sealring.protocol.revocation import Revocation, extend_digest, feed_entries
from sealring.storage.rows.api import api_of
from sealring.storage.sql import api as api_sql
from sealring.storage.sql import revocation as sql


def write_revocations(connection: apsw.Connection, revocations: Sequence[Revocation]) -> None:
    """Number the revocations, join them to the running digest, and move the head behind them."""
    head: Any = connection.execute(sql.FIND_HEAD).fetchone()
    _, number, digest = head
    apis = tuple(api_of(str(row[0])) for row in connection.execute(api_sql.LIST_APIS))
    for entry in feed_entries(revocations, apis=apis, after=number):
        digest = extend_digest(digest, entry)
        number = entry.number
        connection.execute(sql.ADD_REVOCATION, msgspec.structs.asdict(entry) | {"digest": digest})
    connection.execute(sql.MOVE_HEAD, {"number": number, "digest": digest})
