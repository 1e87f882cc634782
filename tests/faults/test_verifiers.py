"""Real verifiers over a real server that restarts, is put back from a copy, or is reached over wires that re-order."""

import asyncio
import json
import shutil
import socket
import threading
import time
import weakref
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sealring_verify import TokenRefused, Verifier
from sealring_verify.feed_follower import FeedFollower
from sealring_verify.feed_knowledge import FeedKnowledge
from sealring_verify.issuer_metadata import IssuerMetadata
from sealring_verify.report import Tally
from sealring_verify.revocation_feed import revocation_id

if TYPE_CHECKING:
    from conftest import Installation

API_KEY = "sla_of_the_tests"
FOLLOWERS = 100
ENDED = {"session_ended", "client_revoked"}


async def outcome(verifier: Verifier, token: str) -> str:
    try:
        await verifier.verify_async(token)
    except TokenRefused as refusal:
        return refusal.code
    return "accepted"


async def until_outcome(verifier: Verifier, token: str, wanted: str, *, seconds: float = 20) -> None:
    async def has_come() -> bool:
        return await outcome(verifier, token) == wanted

    await until(has_come, seconds=seconds)


async def until(holds: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def session(installation: "Installation") -> tuple[str, str]:
    """Sign in: the session's sid and an access token."""
    body = (await installation.sign_in()).json()
    return str(body["sid"]), str(body["access_token"])


async def end(installation: "Installation", sid: str) -> None:
    """End a session by command, on the server where one runs, else in the store itself."""
    ran = await installation.run("sessions", "end", sid)
    assert ran.status == 0, ran.err


class Follower:
    """One process's way to the feed, as a verifier has it, but shared with none of this process's others."""

    def __init__(self, issuer: str, metadata: IssuerMetadata) -> None:
        tally = Tally(chance=lambda: 0.5)
        self.knowledge = FeedKnowledge(issuer=issuer, audience="orders", monotonic=time.monotonic, tally=tally)
        self.follower = FeedFollower(weakref.ref(self.knowledge), metadata, api_key=API_KEY, reports=False)
        self._thread = threading.Thread(target=self.follower.follow, daemon=True)
        self._thread.start()

    def knows(self, sid: str) -> bool:
        found = self.knowledge.entries.find(revocation_id("sid", sid)) is not None
        return found and not self.knowledge.is_stale(30)


async def until_all_know(followers: list[Follower], sids: list[str]) -> None:
    async def know() -> bool:
        return all(follower.knows(sid) for follower in followers for sid in sids)

    await until(know, seconds=40)


async def test_a_hundred_followers_go_on_over_a_restart_without_a_gap_or_a_snapshot(
    installation: "Installation",
) -> None:
    await installation.furnish()
    await installation.start()
    sids = [(await session(installation))[0] for _ in range(8)]
    finder = Verifier(installation.issuer, "orders", feed="off")
    await asyncio.to_thread(finder._issuer_keys.obtain)
    metadata = finder._issuer_keys.state.metadata
    assert metadata is not None
    followers = [Follower(installation.issuer, metadata) for _ in range(FOLLOWERS)]
    await end(installation, sids[0])
    await until_all_know(followers, sids[:1])
    snapshots = [follower.follower._snapshot_at for follower in followers]
    incarnation = followers[0].knowledge.state.incarnation
    ended = 1
    for go in (installation.stop, installation.kill):
        await end(installation, sids[ended])
        await go()
        await end(installation, sids[ended + 1])
        await installation.start()
        await end(installation, sids[ended + 2])
        ended += 3
        await until_all_know(followers, sids[:ended])
    await end(installation, sids[ended])
    began = time.monotonic()
    await until_all_know(followers, sids)
    # All of them are on a stream again; a hundred threads of one process take their time.
    assert time.monotonic() - began < 5
    assert [follower.follower._snapshot_at for follower in followers] == snapshots
    assert {follower.knowledge.state.incarnation for follower in followers} == {incarnation}
    assert len({(follower.knowledge.state.position, follower.knowledge.state.digest) for follower in followers}) == 1


class Watch:
    """Asks a verifier about tokens every 20 ms; whatever was refused as ended must never pass again."""

    def __init__(self, verifier: Verifier, tokens: dict[str, str]) -> None:
        self.verifier = verifier
        self.tokens = tokens
        self.ended: set[str] = set()
        self.seen: list[tuple[str, str]] = []
        self.broken: list[str] = []

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            for name, code in zip(
                self.tokens,
                await asyncio.gather(*(outcome(self.verifier, t) for t in self.tokens.values())),
                strict=True,
            ):
                if code == "accepted" and name in self.ended:
                    self.broken.append(name)
                if code in ENDED:
                    self.ended.add(name)
                if (name, code) not in self.seen[-1:]:
                    self.seen.append((name, code))
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    # A store that was put back says for how long it need not be asked again: a minute.
    "served",
    [False, pytest.param(True, marks=pytest.mark.long)],
    ids=["recovered_at_once", "served_before_it_is_recovered"],
)
async def test_nothing_ended_is_accepted_again_while_a_store_is_put_back_and_recovered(
    installation: "Installation",
    served: bool,  # noqa: FBT001 -- a parameter of the table
) -> None:
    await installation.furnish()
    await installation.start()
    ended, kept = await session(installation), await session(installation)
    await installation.stop()
    copy = installation.folder / "copy"
    shutil.copytree(installation.folder / "data", copy)
    await installation.start()
    verifier = Verifier(installation.issuer, "orders", api_key=API_KEY, max_staleness=2)
    watch = Watch(verifier, {"ended": ended[1], "kept": kept[1]})
    async with watch.watching():
        await until_outcome(verifier, ended[1], "accepted")
        await end(installation, ended[0])
        await until_outcome(verifier, ended[1], "session_ended", seconds=2)
        assert await outcome(verifier, kept[1]) == "accepted"
        assert verifier._guard._client is not None
        knowledge = verifier._guard._client.knowledge
        before = knowledge.state.incarnation
        await installation.stop()
        shutil.rmtree(installation.folder / "data")
        shutil.copytree(copy, installation.folder / "data")
        stranger = Verifier(installation.issuer, "orders", api_key=API_KEY, reports=False)
        if served:
            # It is the old store: it knows nothing of the end, says so, and nobody learns the contrary from it.
            await installation.start(ready=503)
            assert await outcome(stranger, ended[1]) == "revocation_unknown"
            await until_outcome(verifier, kept[1], "revocation_unknown")
            await installation.stop()
        assert await outcome(verifier, ended[1]) in ENDED
        recovered = await installation.run("recover", "--yes")
        assert recovered.status == 0, recovered.err
        await installation.start()
        # Everything ended with the old incarnation, also what nobody had ended by itself.
        await until_outcome(verifier, kept[1], "client_revoked", seconds=70)
        await until_outcome(stranger, ended[1], "client_revoked", seconds=70)
        fresh = await session(installation)
        await until_outcome(verifier, fresh[1], "accepted")
    assert watch.broken == [], watch.seen
    assert {name for name, _ in watch.seen} == {"ended", "kept"}
    assert await outcome(verifier, ended[1]) in ENDED
    assert knowledge.state.incarnation not in {before, None}
    assert verifier.status().revocation.condition == "fresh"


async def test_a_withdrawn_feed_key_is_gone_from_a_live_verifier_within_max_staleness_and_refuses_nobody(
    installation: "Installation",
) -> None:
    await installation.furnish()
    await installation.start()
    _, token = await session(installation)
    verifier = Verifier(installation.issuer, "orders", api_key=API_KEY, max_staleness=3)
    await until_outcome(verifier, token, "accepted")
    assert verifier._guard._client is not None
    knowledge = verifier._guard._client.knowledge
    (kid,) = knowledge.state.signers
    watch = Watch(verifier, {"live": token})
    async with watch.watching():
        withdrawn = await installation.run("keys", "revoke", kid)
        assert withdrawn.status == 0, withdrawn.err

        async def is_gone() -> bool:
            return kid not in knowledge.state.signers and not knowledge.state.withdrawn

        await until(is_gone, seconds=3)
        await asyncio.sleep(1)
    assert watch.seen == [("live", "accepted")]


class Wire:
    """A TCP proxy in front of a server that can hold one message of an event stream back until the next has passed."""

    def __init__(self, *, listen: int, server: int) -> None:
        self._listen = listen
        self._server = server
        self.holds_next: Callable[[dict[str, Any]], bool] | None = None
        self.swapped: asyncio.Future[list[dict[str, Any]]] = asyncio.get_running_loop().create_future()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self._listen)
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._server)
        except OSError:
            writer.close()
            return
        ways = [
            asyncio.create_task(_pass_on(reader, far_writer)),
            asyncio.create_task(self._answer(far_reader, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)
        for each in (writer, far_writer):
            each.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(head)
                if b"text/event-stream" in head:
                    await self._stream(reader, writer)
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                writer.write(await reader.readexactly(int(length[0].partition(b":")[2]) if length else 0))
                await writer.drain()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held: bytes | None = None
        while True:
            size = await reader.readuntil(b"\r\n")
            chunk = size + await reader.readexactly(int(size, 16) + 2)
            if held is not None:
                writer.write(chunk + held)
                self.swapped.set_result([_message(held), _message(chunk)])
                held = None
            elif self.holds_next is not None and self.holds_next(_message(chunk)):
                self.holds_next, held = None, chunk
            else:
                writer.write(chunk)
            await writer.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()


def _message(chunk: bytes) -> dict[str, Any]:
    payload = chunk.partition(b"data: ")[2].split(b".")[1].decode()
    members: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return members


class Truth:
    """Samples what a verifier says of its own age against what it knows: older ends than that age must be known."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self.ends: dict[str, float] = {}
        self.lies: list[str] = []
        self.positions: list[int] = []

    @asynccontextmanager
    async def sampling(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._sample())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _sample(self) -> None:
        assert self._verifier._guard._client is not None
        knowledge = self._verifier._guard._client.knowledge
        while True:
            now = time.monotonic()
            status = self._verifier.status().revocation
            assert status.position is not None
            assert status.age_seconds is not None
            self.positions.append(status.position)
            known = {sid for sid in self.ends if knowledge.entries.find(revocation_id("sid", sid)) is not None}
            self.lies += [sid for sid, at in self.ends.items() if at < now - status.age_seconds and sid not in known]
            await asyncio.sleep(0.005)


def _is_checkpoint(message: dict[str, Any]) -> bool:
    return not message["entries"]


def _is_end(message: dict[str, Any]) -> bool:
    return bool(message["entries"])


@pytest.mark.parametrize("ends", [0, 1, 2], ids=["two_checkpoints", "an_end_and_a_checkpoint", "two_ends"])
async def test_messages_that_a_wire_swaps_are_never_applied_out_of_order(
    installation: "Installation", ends: int
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        behind = int(probe.getsockname()[1])
    text = installation.configuration.read_text()
    installation.configuration.write_text(text.replace(f"port = {installation.port}", f"port = {behind}"))
    await installation.furnish()
    wire = Wire(listen=installation.port, server=behind)
    async with wire.open(), httpx.AsyncClient(auth=("shop", "slc_of_the_tests"), trust_env=False) as shop:
        await installation.start()
        sessions = [(await installation.sign_in()).json() for _ in range(3)]
        verifier = Verifier(installation.issuer, "orders", api_key=API_KEY)
        await until_outcome(verifier, sessions[0]["access_token"], "accepted")
        truth = Truth(verifier)

        async def log_out(number: int) -> None:
            message = {"refresh_token": sessions[number]["refresh_token"]}
            answer = await shop.request("DELETE", f"{installation.issuer}/session", json=message)
            assert answer.status_code == 204
            truth.ends[sessions[number]["sid"]] = time.monotonic()

        async with truth.sampling(), asyncio.timeout(30):
            wire.holds_next = _is_end if ends else _is_checkpoint
            for number in range(ends):
                await log_out(number)
            swapped = await wire.swapped
            assert [_is_end(message) for message in swapped] == [ends > 0, ends > 1]
            await log_out(2)
            for number in (*range(ends), 2):
                await until_outcome(verifier, sessions[number]["access_token"], "session_ended")
            await asyncio.sleep(1.5)
    assert truth.lies == []
    assert truth.positions == sorted(truth.positions)
    assert verifier.status().revocation.condition == "fresh"
