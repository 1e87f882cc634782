"""The statements of every request find their rows by an index: a million sessions must cost what a thousand do."""

import os
import re

import apsw
import pytest

from sealring.storage.migrations.apply import apply_migrations
from sealring.storage.sql import session as sql
from sealring.storage.sql import user as user_sql

EXPECTED = {
    "ADVANCE_FAMILY": "SEARCH sessions USING PRIMARY KEY (key=?)",
    "COUNT_REPEAT": "SEARCH sessions USING PRIMARY KEY (key=?)",
    "FIND_FAMILY": "SEARCH sessions USING PRIMARY KEY (key=?)",
    "END_SESSION": "SEARCH sessions USING INDEX sqlite_autoindex_sessions_2 (sid=?)",
    "FIND_LIVE": "SEARCH sessions USING INDEX sqlite_autoindex_sessions_2 (sid=?)",
    "REPLACE_FAMILY": "SEARCH sessions USING INDEX sqlite_autoindex_sessions_2 (sid=?)",
    "END_SESSIONS_OF_SUBJECT": "SEARCH sessions USING INDEX sessions_sub (sub=?)",
    "LIST_LIVE_OF_SUBJECT": "SEARCH sessions USING INDEX sessions_sub (sub=?)",
    "COUNT_LIVE_OF_SUBJECT": "SEARCH sessions USING INDEX sessions_sub (sub=?)",
    "FORGET_EXPIRED": "SEARCH sessions USING PRIMARY KEY (key=?)",
}


@pytest.fixture(scope="module")
def connection() -> apsw.Connection:
    memory = apsw.Connection(":memory:")
    assert apply_migrations(memory, randomness=os.urandom, demo=False) is None
    return memory


def plan(connection: apsw.Connection, statement: str) -> list[str]:
    values = dict.fromkeys(re.findall(r":(\w+)", statement))
    return [str(step[3]) for step in connection.execute("EXPLAIN QUERY PLAN " + statement, values)]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_statement_finds_its_sessions_by_their_index(connection: apsw.Connection, name: str) -> None:
    steps = plan(connection, getattr(sql, name))
    assert EXPECTED[name] in steps
    scans = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    assert scans in ([], ["SCAN store_state"])
    # Newest first comes out of the index itself.
    assert not any("TEMP B-TREE FOR ORDER BY" in step for step in steps)


def test_user_and_client_of_a_session_are_found_by_their_keys(connection: apsw.Connection) -> None:
    steps = plan(connection, sql.ADVANCE_FAMILY)
    assert "SEARCH users USING PRIMARY KEY (sub=?)" in steps
    assert "SEARCH clients USING PRIMARY KEY (client_id=?)" in steps


def test_expired_sessions_are_found_by_their_expiry(connection: apsw.Connection) -> None:
    steps = plan(connection, sql.FORGET_EXPIRED)
    assert any("sessions_absolute_expires_at (absolute_expires_at<?)" in step for step in steps)


def test_a_log_in_finds_its_user_by_the_name(connection: apsw.Connection) -> None:
    assert any("(username_key=?)" in step for step in plan(connection, user_sql.FIND_BY_USERNAME))
    assert any("(email_key=?)" in step for step in plan(connection, user_sql.FIND_BY_EMAIL))
    assert any("audit_events_sub (sub=?)" in step for step in plan(connection, user_sql.ERASE_PERSONAL_EVENTS))
