"""`sealring dev conformance-seed` while no demo runs, and where its demo is."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from sealring.compose import ComposeProblem, DemoTerms, make_master_key, open_house
from sealring.config import CONFIGURATION_FILE, Settings
from sealring.demo.conformance_seed import MAXIMUM_SEED_BYTES, ConformanceSeed, sow_conformance_seed
from sealring.demo.folder import CLOCK_OFFSET_FILE, DemoProblem, make_settings_of_demo, read_settings_of_demo
from sealring.protocol.errors import OAuthError
from sealring.protocol.json_object import parse_json_object

_ACTOR = "cli:dev"


def settings_of_seeded_demo(folder: Path, *, port: int) -> Settings:
    """Read the settings of the demo in a folder, or write those of a new one."""
    if (folder / CONFIGURATION_FILE).exists():
        return read_settings_of_demo(folder)
    return make_settings_of_demo(folder, port=port)


def read_seed(file: str) -> dict[str, Any]:
    """Read a seed, judged as the demo judges it. Raises DemoProblem."""
    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as problem:
        raise DemoProblem(f"{file} cannot be read ({problem.strerror}).") from problem
    refusal = parse_json_object(body, ConformanceSeed, maximum_bytes=MAXIMUM_SEED_BYTES)
    if isinstance(refusal, OAuthError):
        raise DemoProblem(f"{file}: {refusal.description}")
    seed: dict[str, Any] = msgspec.json.decode(body)
    return seed


async def seed_idle_demo(settings: Settings, seed: dict[str, Any]) -> dict[str, Any]:
    """Sow a seed that was read into a demo that does not run. Raises DemoProblem, also over a real installation."""
    asked = parse_json_object(msgspec.json.encode(seed), ConformanceSeed, maximum_bytes=MAXIMUM_SEED_BYTES)
    if isinstance(asked, OAuthError):
        raise DemoProblem(asked.description)
    terms = DemoTerms(routes={}, clock_offset_file=settings.folder / CLOCK_OFFSET_FILE)
    try:
        if not settings.path(settings.master_key_file).exists():
            make_master_key(settings)
        async with open_house(settings, demo=terms) as opened:
            outcome = await sow_conformance_seed(asked, opened.desk, _ACTOR)
    except ComposeProblem as problem:
        raise DemoProblem(str(problem)) from problem
    if isinstance(outcome, OAuthError):
        raise DemoProblem(outcome.description, exit_status=1)
    seeded: dict[str, Any] = msgspec.to_builtins(outcome)
    return seeded
