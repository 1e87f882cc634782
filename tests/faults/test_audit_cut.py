"""Who cuts the end of the audit off is found out by the log that was collected elsewhere (SECURITY F1)."""

import asyncio
import json
from typing import TYPE_CHECKING

import apsw

if TYPE_CHECKING:
    from conftest import Installation


async def test_the_log_of_a_server_shows_that_the_end_of_its_audit_was_cut_off(installation: "Installation") -> None:
    installation.configure(rest="audit.checkpoint_seconds = 1")
    await installation.furnish()
    await installation.start()
    assert (await installation.sign_in()).status == 200
    await asyncio.sleep(1.5)
    assert await installation.stop() == 0
    log = installation.folder / "output.log"
    events = [json.loads(line)["event"] for line in log.read_text().splitlines() if line.startswith("{")]
    # At the start, after the sign-in, at the stop; on a slow machine one may tell of two of them, or of one twice.
    assert set(events) == {"audit_checkpoint"}
    assert len(events) >= 2
    log.write_text("a line of something else\n" + log.read_text() + '{"event":"audit_checkpoint","anch')
    whole = await installation.run("audit", "verify", "--anchor", str(log), "--json")
    assert whole.status == 0, whole.out
    assert json.loads(whole.out)["anchored"]
    cut = apsw.Connection(str(installation.folder / "data/sealring.db"))
    cut.execute("DELETE FROM audit_events WHERE event IN ('sign_in', 'node_stopped')")
    cut.execute(
        "DELETE FROM audit_links WHERE NOT EXISTS (SELECT 1 FROM audit_events AS event"
        " WHERE event.writer = audit_links.writer AND event.sequence = audit_links.last_sequence)"
    )
    cut.close()
    assert (await installation.run("audit", "verify")).status == 0
    # A later run writes a checkpoint of the shorter chain, which does not outweigh those before.
    await installation.start()
    await installation.stop()
    assert (await installation.run("audit", "verify", "--anchor", str(log))).status == 1
