"""A running server removes what is older than wanted, and what stays can still be checked (SECURITY F1)."""

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation

DAYS_3 = 3 * 24 * 60 * 60


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_a_running_server_removes_old_events_and_its_audit_still_holds(installation: "Installation") -> None:
    installation.configure(rest="audit.retention_days = 1")
    await installation.furnish()
    await installation.start(movable_clock=True)
    assert (await installation.sign_in()).status == 200
    anchor = installation.folder / "anchor.json"
    anchor.write_text((await installation.run("audit", "anchor")).out)
    installation.set_clock(DAYS_3)
    async with asyncio.timeout(180):
        while (verdict := json.loads((await installation.run("audit", "verify", "--json")).out))["removed"] < 3:
            assert verdict["holds"]
            await asyncio.sleep(2)
    assert (await installation.sign_in()).status == 200
    told = await installation.run("audit", "tail", "--json", "--limit", "100")
    events = [event["recorded"]["event"] for event in json.loads(told.out)["events"]]
    removals = [event for event in events if event["event"] == "audit_retention_applied"]
    assert sum(event["details"]["events"] for event in removals) >= 3
    assert events[-1]["event"] == "sign_in"
    assert await installation.stop() == 0
    checked = await installation.run("audit", "verify", "--anchor", str(anchor), "--json")
    assert checked.status == 0, checked.out
    assert "upkeep_failed" not in installation.log()
    shown = await installation.run("audit", "verify", "--anchor", str(anchor))
    assert "more removed by retention" in shown.out
