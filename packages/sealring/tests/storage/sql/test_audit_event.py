import os

import apsw
import pytest

from sealring.storage.migrations.apply import apply_migrations
from sealring.storage.sql import audit_event as sql

VALUES = {
    "writer": "node",
    "after": 0,
    "last": 9,
    "last_sequence": 9,
    "newest": 10,
    "limit": 5,
    "before": 1,
    "without": "[]",
}


@pytest.mark.parametrize(
    "statement",
    [sql.FIND_OLD_WRITER, sql.LIST_LINKS, sql.LIST_ROWS, sql.REMOVE_EVENTS, sql.REMOVE_LINKS, sql.LIST_HEADS],
    ids=["find_old_writer", "list_links", "list_rows", "remove_events", "remove_links", "list_heads"],
)
def test_what_upkeep_runs_each_minute_walks_a_key_and_no_whole_table(statement: str) -> None:
    connection = apsw.Connection(":memory:")
    assert apply_migrations(connection, randomness=os.urandom, demo=False) is None
    plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement, VALUES)]
    assert any(step.startswith("SEARCH audit_") for step in plan)
    assert not [step for step in plan if step.startswith(("SCAN audit_events", "SCAN audit_links"))]
    assert not [step for step in plan if "TEMP B-TREE" in step]
