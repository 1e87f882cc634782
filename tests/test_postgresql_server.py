"""The database of the tests is a real one, and nobody's but theirs."""

from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from conftest import PostgresqlServer


async def test_the_server_of_the_tests_answers_on_loopback_alone(postgresql_server: "PostgresqlServer") -> None:
    connection = await asyncpg.connect(postgresql_server.url())
    assert connection.get_server_version().major == 18
    assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
    await connection.close()


def test_the_server_of_the_tests_is_never_root(postgresql_server: "PostgresqlServer") -> None:
    lines = (postgresql_server.folder / "data" / "postmaster.pid").read_text().splitlines()
    assert Path(f"/proc/{lines[0]}").stat().st_uid != 0
