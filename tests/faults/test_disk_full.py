"""A full disk refuses for a while and loses nothing (SECURITY A8); here a limit on the size of the server's files."""

import asyncio
import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Installation, Reply

CLIENTS = 20
ROOM = 64 * 1024  # what may still be written before the disk is full


def limit_files(installation: "Installation", size: int) -> None:
    """Let no file of the server grow beyond `size` octets, as a full disk would; each write then fails."""
    assert installation.process is not None
    _, hard = resource.prlimit(installation.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(installation.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def largest_file(installation: "Installation") -> int:
    return max(path.stat().st_size for path in (installation.folder / "data").iterdir())


async def refresh_until_refused(installation: "Installation", tokens: list[str]) -> list["Reply"]:
    """Refresh in rounds until the disk is full; return the refusals of that round."""
    for _ in range(1000):
        replies = await asyncio.gather(*(installation.refresh(token) for token in tokens))
        tokens[:] = [
            reply.refresh_token if reply.status == 200 else token for token, reply in zip(tokens, replies, strict=True)
        ]
        refused = [reply for reply in replies if reply.status != 200]
        if refused:
            return refused
    raise AssertionError("the limit was never met")


async def test_a_full_disk_answers_503_and_every_client_goes_on_when_there_is_room(
    installation: "Installation",
) -> None:
    await installation.furnish()
    await installation.start()
    tokens = await installation.open_sessions(CLIENTS)
    limit_files(installation, largest_file(installation) + ROOM)

    refused = await refresh_until_refused(installation, tokens)
    refused += await asyncio.gather(*(installation.refresh(token) for token in tokens))
    refused.append(await installation.sign_in())
    assert {reply.status for reply in refused} == {503}
    assert {reply.json()["code"] for reply in refused} == {"store_unavailable"}
    assert all(int(reply.headers["retry-after"]) > 0 for reply in refused)

    limit_files(installation, resource.RLIM_INFINITY)
    for _ in range(2):
        replies = await asyncio.gather(*(installation.refresh(token) for token in tokens))
        tokens = [reply.refresh_token for reply in replies]
    await installation.sign_in()
    verdict = await installation.run("audit", "verify")
    assert (verdict.status, verdict.err) == (0, "")


async def test_what_was_answered_before_the_disk_filled_survives_a_kill(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()
    tokens = await installation.open_sessions(CLIENTS)
    limit_files(installation, largest_file(installation) + ROOM)
    await refresh_until_refused(installation, tokens)
    await installation.kill()
    await installation.start()
    for _ in range(2):
        replies = await asyncio.gather(*(installation.refresh(token) for token in tokens))
        tokens = [reply.refresh_token for reply in replies]
    verdict = await installation.run("audit", "verify")
    assert (verdict.status, verdict.err) == (0, "")


async def test_a_log_that_cannot_be_written_refuses_nobody(installation: "Installation") -> None:
    await installation.furnish()
    (installation.folder / "server.log").symlink_to("/dev/full")
    await installation.start()
    [token] = await installation.open_sessions(1)
    limit_files(installation, 1)
    assert (await installation.refresh(token)).status == 503
    await asyncio.sleep(2.5)  # the upkeep fails and complains as well
    limit_files(installation, resource.RLIM_INFINITY)
    assert (await installation.refresh(token)).status == 200
