"""Refresh among 1 000 000 sessions, 20 000 of them busy, beside 1 000 sessions that are all busy.

Both servers run on core 0 and take turns, the load is on core 1. The busy sessions are spread over the whole table, as
people who come back after days are: each refresh writes another page.
"""

import argparse
import asyncio
import os
import random
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

import apsw
import trunk
from load import LoadReport
from trunk import Installation, Row, load, row
from wanted import Wanted, tell_missed

from sealring.compose import open_house
from sealring.protocol.refresh_token_format import family_key, mint_refresh_token

CALLERS = 64
ROUNDS = 5
MONTH = 30 * 24 * 3600  # seconds
NAME = "refresh among 1 000 000 sessions, 20 000 busy"
WANTED = [
    Wanted(
        name=NAME,
        at_least=0.9,
        time="A busy session lies on a page of its own, so a refresh writes 8 KiB instead of 3: its page to the log, "
        "and again to its place at the checkpoint. Without checkpoints nothing is lost. What would move it: the "
        "columns that a rotation changes in a narrow table of their own "
        "(docs/decisions/2026-11-25-a-million-sessions.md).",
    )
]
INSERT = """
INSERT INTO sessions (key, sid, sub, client_id, subject_epoch, client_epoch, generation, mac_key_id,
  rotated_1, rotated_2, rotated_3, rotated_4, repeats, scope, resource, resources, auth_time, amr,
  created_at, last_used_at, idle_expires_at, absolute_expires_at, network, user_agent)
VALUES (?, ?, 'ada', 'shop', 1, 1, 0, ?, 0, 0, 0, 0, 0, '["orders:read"]', 'orders', '["orders"]', ?, '["pwd"]',
  ?, ?, ?, ?, '127.0.0.0/24', 'other')
"""


class Sessions:
    """A server with so many sessions, and the refresh tokens of the busy ones."""

    def __init__(self, folder: Path, *, sessions: int, busy: int) -> None:
        folder.mkdir()
        self.site = Installation(folder)
        self.tokens = asyncio.run(self._open(sessions, busy))
        self.turns = [0] * CALLERS

    async def _open(self, sessions: int, busy: int) -> list[bytes]:
        """Write the rows as sign-ins would have done over a month, one secret each."""
        async with open_house(self.site.settings) as opened:
            mac_key, realm, now = opened.house.signer.current_mac_key(), opened.house.signer.realm, opened.house.clock()
        # Where a session lies is no secret here.
        births = sorted(now // 1000 - random.randrange(MONTH) for _ in range(sessions))  # noqa: S311 -- as above
        secrets = [(birth.to_bytes(4, "big"), os.urandom(16)) for birth in births]
        connection = apsw.Connection(str(next(self.site.settings.path(self.site.settings.data).glob("*.db"))))
        with connection:
            far = now + MONTH * 1000
            connection.executemany(
                INSERT,
                (
                    (
                        family_key(born=born, secret=secret),
                        sha256(b"sid" + secret).hexdigest()[:32],
                        mac_key.mac_key_id,
                        *(birth * 1000,) * 3,
                        *(far,) * 2,
                    )
                    for birth, (born, secret) in zip(births, secrets, strict=True)
                ),
            )
        connection.close()
        return [
            mint_refresh_token(
                mac_key_id=mac_key.mac_key_id,
                mac_key=mac_key.secret,
                realm=realm,
                born=born,
                secret=secret,
                generation=0,
            ).encode()
            for born, secret in random.sample(secrets, busy)
        ]

    def refresh(self) -> LoadReport:
        """Refresh on 64 connections, each with its own share of the busy sessions, in turns."""
        head = self.site.head("/session/refresh", len(self.tokens[0]) + 20) + b'{"refresh_token":"'

        def place(number: int) -> int:
            return (number + CALLERS * self.turns[number]) % (len(self.tokens) // CALLERS * CALLERS)

        def keep(number: int, answer: bytes) -> None:
            self.tokens[place(number)] = trunk.refresh_token_in(answer)
            self.turns[number] += 1

        return load(
            self.site.port,
            connections=CALLERS,
            next_request=lambda number: head + self.tokens[place(number)] + b'"}',
            on_answer=keep,
        )


@contextmanager
def serving(sessions: Sessions) -> Iterator[Sessions]:
    """Run the server."""
    process = sessions.site.start()
    try:
        yield sessions
    finally:
        process.terminate()
        process.wait()


def measure() -> list[Row]:
    """Let both servers refresh in turns."""
    many: list[LoadReport] = []
    few: list[LoadReport] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        million = stack.enter_context(serving(Sessions(Path(folder) / "many", sessions=1_000_000, busy=20_000)))
        thousand = stack.enter_context(serving(Sessions(Path(folder) / "few", sessions=1000, busy=1000)))
        for sessions in (thousand, million):
            sessions.refresh()  # warm
        for _ in range(ROUNDS):
            few.append(thousand.refresh())
            many.append(million.refresh())
    per_s, floor = (statistics.median(report.per_second for report in reports) for reports in (many, few))
    p99, floor_p99 = (statistics.median(report.p99 for report in reports) * 1000 for reports in (many, few))
    return [
        row(NAME, per_s, "/s", floor=floor, floor_name="1 000 sessions"),
        row(f"{NAME}: p99", p99, "ms", floor=floor_p99, floor_name="1 000 sessions"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    measured = measure()
    trunk.report(measured, parser.parse_args().json)
    tell_missed(measured, WANTED)


if __name__ == "__main__":
    main()
