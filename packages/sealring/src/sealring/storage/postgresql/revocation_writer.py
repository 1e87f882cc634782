"""Writes what acts ended into the feed, as the last statements of their transaction (SECURITY B1)."""

from collections.abc import Sequence

import msgspec

from sealring.protocol.revocation import Revocation, extend_digest, feed_entries
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.api import api_of
from sealring.storage.sql import api as api_sql
from sealring.storage.sql import revocation as sql


async def write_revocations(transaction: Transaction, revocations: Sequence[Revocation]) -> None:
    """Number the revocations, join them to the running digest, and move the head behind them.

    The head is held from its reading to COMMIT, so numbers are dense and in the order of commits on all nodes.
    """
    apis = tuple(api_of(str(row[0])) for row in await transaction.all(api_sql.LIST_APIS))
    _, number, digest = await transaction.one(sql.LOCK_HEAD)
    rows = []
    for entry in feed_entries(revocations, apis=apis, after=number):
        digest = extend_digest(digest, entry)
        number = entry.number
        rows.append(msgspec.structs.asdict(entry) | {"digest": digest})
    await transaction.change_each(sql.ADD_REVOCATION, rows)
    await transaction.change(sql.MOVE_HEAD, {"number": number, "digest": digest})
