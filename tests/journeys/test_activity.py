"""The activity stream of a real server: on standard output where it is wanted, and never in a request's way."""

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Installation

STREAM = 'telemetry.activity = "stdout"'


def lines(installation: "Installation") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (installation.folder / "output.log").read_text().splitlines()[1:]]


async def test_what_a_server_did_stands_on_its_standard_output(installation: "Installation") -> None:
    installation.configure(rest=STREAM)
    await installation.furnish()
    await installation.start()
    token = (await installation.sign_in()).refresh_token
    for _ in range(20):
        token = (await installation.refresh(token)).refresh_token
    assert await installation.stop() == 0
    events = [line["event"] for line in lines(installation)]
    assert (events.count("refresh_rotated"), events.count("access_token_issued")) == (20, 21)
    assert events.count("audit_checkpoint") >= 1


async def test_nothing_is_told_where_nothing_is_set(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()
    await installation.refresh((await installation.sign_in()).refresh_token)
    assert await installation.stop() == 0
    assert {line["event"] for line in lines(installation)} == {"audit_checkpoint"}


async def test_a_server_whose_standard_output_nobody_reads_goes_on_and_ends(installation: "Installation") -> None:
    installation.configure(rest=STREAM)
    await installation.furnish()
    reading, writing = os.pipe()
    await installation.start(output=writing)
    os.close(writing)
    tokens = await installation.open_sessions(20)

    async def refresh(token: str) -> None:
        for _ in range(30):
            token = (await installation.refresh(token)).refresh_token

    # Some 220 kB of lines, into a pipe that takes 64.
    await asyncio.gather(*(refresh(token) for token in tokens))
    assert await installation.stop() == 0
    os.close(reading)
