"""Whoever refreshes while the server dies goes on with the last token it received (SECURITY A5)."""

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation

CLIENTS = 200
ANSWERS_BEFORE_THE_KILL = 500


async def refresh_until_killed(installation: "Installation", tokens: list[str]) -> None:
    """Let each client refresh without pause, kill the server in the middle; `tokens` has the last one of each."""
    answered = 0
    enough = asyncio.Event()

    async def go_on(number: int) -> None:
        nonlocal answered
        while True:
            try:
                reply = await installation.refresh(tokens[number])
            except ConnectionError:
                return
            tokens[number] = reply.refresh_token
            answered += 1
            if answered >= ANSWERS_BEFORE_THE_KILL:
                enough.set()

    async with asyncio.TaskGroup() as group:
        for number in range(len(tokens)):
            group.create_task(go_on(number))
        await enough.wait()
        await installation.kill()


async def go_on_twice(installation: "Installation", tokens: list[str]) -> None:
    """Let each client refresh with the token it has, and with the successor."""
    for _ in range(2):
        replies = await asyncio.gather(*(installation.refresh(token) for token in tokens))
        tokens = [reply.refresh_token for reply in replies]
    assert len(set(tokens)) == len(tokens)


async def interrupted(installation: "Installation", *, movable_clock: bool = False) -> list[str]:
    await installation.furnish()
    await installation.start(movable_clock=movable_clock)
    tokens = await installation.open_sessions(CLIENTS)
    await refresh_until_killed(installation, tokens)
    return tokens


@pytest.mark.both_engines
async def test_every_client_goes_on_after_a_kill_in_the_middle_of_200_refreshes(installation: "Installation") -> None:
    tokens = await interrupted(installation)
    await installation.start()
    await go_on_twice(installation, tokens)
    verdict = await installation.run("audit", "verify", "--json")
    assert verdict.status == 0, verdict


@pytest.mark.parametrize("seconds", [3600, -3600, 120], ids=["hour_forward", "hour_back", "two_minutes_down"])
async def test_every_client_goes_on_when_the_wall_clock_moved_while_the_server_was_down(
    installation: "Installation", seconds: int
) -> None:
    tokens = await interrupted(installation, movable_clock=True)
    installation.set_clock(seconds)
    await installation.start(movable_clock=True)
    await go_on_twice(installation, tokens)


async def test_every_client_goes_on_after_three_kills_in_a_row(installation: "Installation") -> None:
    tokens = await interrupted(installation)
    for _ in range(2):
        await installation.start()
        await refresh_until_killed(installation, tokens)
    await installation.start()
    await go_on_twice(installation, tokens)


@pytest.mark.both_engines
async def test_a_token_two_generations_old_is_reuse_after_a_kill_too(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()
    [first] = await installation.open_sessions(1)
    second = (await installation.refresh(first)).refresh_token
    third = (await installation.refresh(second)).refresh_token
    await installation.kill()
    await installation.start()
    assert (await installation.refresh(first)).status == 400
    assert (await installation.refresh(third)).json()["error"] == "invalid_grant"


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_every_client_goes_on_after_two_minutes_without_a_server(installation: "Installation") -> None:
    tokens = await interrupted(installation)
    await asyncio.sleep(120)
    await installation.start()
    await go_on_twice(installation, tokens)
