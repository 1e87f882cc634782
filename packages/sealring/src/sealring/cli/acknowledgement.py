"""How the commands that end something tell which APIs know of it."""

import time
from collections.abc import Sequence
from typing import Any

from sealring.cli.output import counted, shown


def acknowledged(said: str, known: Sequence[dict[str, Any]]) -> str:
    """Add to what a command says which APIs knew how soon, and until when the others go on accepting."""
    return "; ".join([said, *map(_sentence, known)])


def _sentence(api: dict[str, Any]) -> str:
    name = f"api {shown(api['api'])}"
    if api["readers"] == 0:
        until = time.strftime("%H:%M:%SZ", time.gmtime(api["accepts_until"] / 1000))
        return f"{name} reads no feed: tokens may pass there until {until}"
    if api["knew_after_ms"] is not None:
        return f"{name} knew after {api['knew_after_ms'] / 1000:.2f} s"
    silent = counted(api["silent"], "verifier")
    return f"{name}: {silent} of {api['readers']} did not say so in time, and refuse or know within its max_staleness"
