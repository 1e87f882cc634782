"""One process serves one SQLite file; a second one is told so, and harms nobody (DESIGN §4)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Installation


async def test_a_second_server_on_the_same_file_is_refused_with_a_sentence(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()
    [token] = await installation.open_sessions(1)
    second = await installation.run("serve", environment={"SEALRING_SERVER__PORT": "0"})
    assert second.status == 2
    assert "Another Sealring process has the database" in second.err
    assert "Traceback" not in second.err
    assert (await installation.refresh(token)).status == 200
    shown = await installation.run("users", "list", "--json")
    assert shown.status == 0, shown.err


async def test_the_file_is_free_again_after_a_kill(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()
    await installation.kill()
    await installation.start()
    assert await installation.stop() == 0
