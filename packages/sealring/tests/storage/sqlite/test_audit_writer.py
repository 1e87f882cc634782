import itertools
import os

import apsw
import pytest

from sealring.protocol.audit_chain import AuditLink, AuditRow, ChainHead, check_chain
from sealring.protocol.audit_event import AuditEvent
from sealring.storage.migrations.apply import apply_migrations
from sealring.storage.sqlite.audit_writer import AuditWriter

EVENT = AuditEvent(event="sign_in", at=1000, actor="user:ada", personal={"name": "Ada"})


@pytest.fixture
def connection() -> apsw.Connection:
    memory = apsw.Connection(":memory:")
    assert apply_migrations(memory, randomness=os.urandom, demo=False) is None
    return memory


@pytest.fixture
def writer() -> AuditWriter:
    salts = itertools.count(1)
    return AuditWriter(writer="node-1", audit_key=b"k" * 32, randomness=lambda size: next(salts).to_bytes(size, "big"))


def chain(connection: apsw.Connection) -> tuple[list[AuditRow], list[AuditLink]]:
    rows = connection.execute("SELECT * FROM audit_events ORDER BY sequence").fetchall()
    links = connection.execute("SELECT * FROM audit_links ORDER BY last_sequence").fetchall()
    return (
        [AuditRow(**dict(zip(AuditRow.__struct_fields__, row[1:], strict=True))) for row in rows],
        [AuditLink(**dict(zip(AuditLink.__struct_fields__, link, strict=True))) for link in links],
    )


def test_each_group_is_numbered_on_from_the_one_before_under_one_link(
    connection: apsw.Connection, writer: AuditWriter
) -> None:
    for size in (1, 3, 2):
        writer.adopt(writer.write(connection, [EVENT] * size))
    rows, links = chain(connection)
    assert [row.sequence for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [(link.first_sequence, link.last_sequence) for link in links] == [(1, 1), (2, 4), (5, 6)]
    head = check_chain(rows, links, writer="node-1", audit_key=b"k" * 32)
    assert head == ChainHead(sequence=6, mac=links[-1].mac)


def test_the_head_moves_only_when_it_is_adopted(connection: apsw.Connection, writer: AuditWriter) -> None:
    connection.execute("BEGIN")
    undone = writer.write(connection, [EVENT])
    connection.execute("ROLLBACK")
    kept = writer.write(connection, [EVENT])
    assert undone.sequence == kept.sequence == 1
    writer.adopt(kept)
    assert writer.write(connection, [EVENT]).sequence == 2


def test_nothing_to_write_writes_nothing(connection: apsw.Connection, writer: AuditWriter) -> None:
    head = writer.write(connection, [])
    assert head.sequence == 0
    assert chain(connection) == ([], [])


def test_every_row_has_a_salt_of_its_own(connection: apsw.Connection, writer: AuditWriter) -> None:
    writer.adopt(writer.write(connection, [EVENT, EVENT]))
    rows, _ = chain(connection)
    assert rows[0].salt != rows[1].salt
    assert rows[0].personal_digest != rows[1].personal_digest
