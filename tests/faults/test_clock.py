"""The wall clock jumps under a running server: nobody is signed out, and nothing is a 500."""

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation

KNOWN_SECONDS = 0.3  # by then the server has read its clock's offset again


@pytest.mark.parametrize("seconds", [-3600, 3600], ids=["hour_back", "hour_forward"])
async def test_a_jump_of_the_clock_ends_no_session(installation: "Installation", seconds: int) -> None:
    await installation.furnish()
    await installation.start(movable_clock=True)
    [first, idle] = await installation.open_sessions(2)
    second = (await installation.refresh(first)).refresh_token
    installation.set_clock(seconds)
    await asyncio.sleep(KNOWN_SECONDS)
    assert (await installation.refresh(first)).refresh_token == second  # a lost answer, asked for again
    third = (await installation.refresh(second)).refresh_token
    fresh = (await installation.sign_in()).refresh_token
    installation.set_clock(0)
    await asyncio.sleep(KNOWN_SECONDS)
    for token in (third, idle, fresh):
        successor = (await installation.refresh(token)).refresh_token
        assert (await installation.refresh(successor)).status == 200
    assert (await installation.run("audit", "verify")).status == 0
    assert "internal_error" not in installation.log()
