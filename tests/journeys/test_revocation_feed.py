"""The feed over a real server: streams that many read, an ordered stop, a kill, a store put back from a copy."""

import asyncio
import json
import shutil
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from conftest import Installation

CREDENTIAL = ("orders", "sla_of_the_tests")
EVENTS = {"accept": "text/event-stream"}


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    members: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return members


@asynccontextmanager
async def reading(installation: "Installation", after: int = 0) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Read the stream as Server-Sent Events, one message each."""

    async def messages(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield claims(line.removeprefix("data: "))

    async with (
        httpx.AsyncClient(auth=CREDENTIAL, timeout=10, trust_env=False) as client,
        client.stream("GET", f"{installation.issuer}/revocations?after={after}", headers=EVENTS) as answer,
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
        yield messages(answer)


@pytest.mark.both_engines
async def test_an_end_is_on_the_stream_within_a_second_and_checkpoints_follow(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()
    token = (await installation.sign_in()).refresh_token
    async with reading(installation) as messages:
        first = await anext(messages)
        assert first["entries"] == []
        began = time.monotonic()
        await installation.post("/session", {})  # a refusal is no end
        async with httpx.AsyncClient(auth=("shop", "slc_of_the_tests"), trust_env=False) as shop:
            answer = await shop.request("DELETE", f"{installation.issuer}/session", json={"refresh_token": token})
        assert answer.status_code == 204
        while not (message := await anext(messages))["entries"]:
            pass
        assert time.monotonic() - began < 1
        assert message["entries"][0][1] == "sid"
        assert (await anext(messages))["previous"] == message["digest"]


async def test_a_hundred_streams_end_first_and_quickly_when_the_server_stops(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()

    async def follow(ready: asyncio.Event) -> None:
        async with reading(installation) as messages:
            await anext(messages)
            ready.set()
            async for _ in messages:
                pass

    started = [asyncio.Event() for _ in range(100)]
    followers = [asyncio.create_task(follow(each)) for each in started]
    await asyncio.gather(*(each.wait() for each in started))
    began = time.monotonic()
    assert await installation.stop() == 0
    assert time.monotonic() - began < 5
    # Each got the end of its answer, not a broken connection.
    await asyncio.wait_for(asyncio.gather(*followers), timeout=5)


@pytest.mark.both_engines
async def test_a_restarted_server_goes_on_where_its_readers_were(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()
    await installation.sign_in()
    await installation.run("sessions", "end", "--user", "user-0")
    async with reading(installation) as messages:
        before = await anext(messages)
    await installation.kill()
    await installation.start()
    async with reading(installation, after=before["n"]) as messages:
        after = await anext(messages)
    assert (after["previous"], after["inc"], after["entries"]) == (before["digest"], before["inc"], [])


async def test_a_store_put_back_from_a_copy_tells_nothing_until_it_is_recovered(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()
    await installation.sign_in()
    await installation.stop()
    copy = installation.folder / "copy"
    shutil.copytree(installation.folder / "data", copy)
    await installation.start()
    await installation.run("sessions", "end", "--user", "user-0")
    async with reading(installation) as messages:
        before = await anext(messages)
    await installation.stop()
    shutil.rmtree(installation.folder / "data")
    shutil.copytree(copy, installation.folder / "data")
    recovered = await installation.run("recover", "--yes")
    assert recovered.status == 0, recovered.err
    await installation.start()
    async with reading(installation) as messages:
        after = await anext(messages)
    # Another incarnation, and every token of every client that the copy knew has ended.
    assert after["inc"] != before["inc"]
    assert [entry[1] for entry in after["entries"]] == ["client"]
