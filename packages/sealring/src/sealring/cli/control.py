"""How a command reaches the acts: by the control socket of a running server, else over the store itself.

Either way it speaks HTTP to the same application (DESIGN §5), so there is one way in which an act is asked for.
"""

import asyncio
import os
import pwd
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from sealring.cli.command import ActRefused, CommandProblem, Unreachable
from sealring.config import CONFIGURATION_FILE, Settings, SettingsProblem, control_socket, load_settings

DEMO_CONFIGURATION: Final = Path("demo-data") / CONFIGURATION_FILE
_TIMEOUT_SECONDS: Final = 60


class Control:
    """An open way to the acts."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def perform(self, act: str, request: Mapping[str, object] = {}, *, seconds: int = _TIMEOUT_SECONDS) -> Any:  # noqa: ANN401 -- JSON
        """Do an act and return its JSON, waiting so many `seconds` for it.

        Raises ActRefused, or Unreachable where nobody can do it now.
        """
        try:
            answer = await self._client.post(f"/acts/{act}", json=dict(request), timeout=seconds)
        except httpx.TransportError as problem:
            raise Unreachable(f"The server went away ({type(problem).__name__}): try again.") from problem
        outcome = answer.json()
        if answer.status_code == 200:
            return outcome
        if answer.status_code in {500, 503}:
            raise Unreachable(str(outcome["error_description"]))
        raise ActRefused(str(outcome["error_description"]), code=str(outcome["code"]))


def find_settings(config: str | None) -> Settings:
    """Read the settings: of the named file, of this folder, of the environment, or of the demo in this folder."""
    file = None if config is None else Path(config)
    named = config is not None or "SEALRING_CONFIG" in os.environ or "SEALRING_ISSUER" in os.environ
    if not named and not Path(CONFIGURATION_FILE).exists() and DEMO_CONFIGURATION.exists():
        file = DEMO_CONFIGURATION
    settings = load_settings(file, environment=os.environ)
    if isinstance(settings, SettingsProblem):
        raise CommandProblem(settings.sentence)
    return settings


@asynccontextmanager
async def open_control(config: str | None) -> AsyncIterator[Control]:
    """Open the way to the acts of the installation that the settings name."""
    settings = find_settings(config)
    if await server_answers(settings):
        async with open_running(settings) as control:
            yield control
        return
    if settings.folder / CONFIGURATION_FILE == DEMO_CONFIGURATION.absolute():
        raise Unreachable("The demo is not running: start it with `sealring demo`.")
    async with open_store(settings) as control:
        yield control


@asynccontextmanager
async def open_running(settings: Settings) -> AsyncIterator[Control]:
    """Open the acts of a server that runs, by its control socket."""
    async with _client(httpx.AsyncHTTPTransport(uds=str(control_socket(settings)))) as client:
        yield Control(client)


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Control]:
    """Open the acts over the store itself; refused while another process has it."""
    from sealring.compose import ComposeProblem, open_control_app  # noqa: PLC0415 -- every room: half a second

    try:
        async with open_control_app(settings) as app, _client(httpx.ASGITransport(app=app)) as client:
            yield Control(client)
    except ComposeProblem as problem:
        raise CommandProblem(str(problem)) from problem


async def server_answers(settings: Settings) -> bool:
    """Say whether a server listens on the control socket. Raises Unreachable where it belongs to somebody else."""
    socket = control_socket(settings)
    try:
        _, writer = await asyncio.open_unix_connection(socket)
    except PermissionError as problem:
        raise Unreachable(
            f"The control socket {socket} belongs to another user: run this as the server's."
        ) from problem
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def _client(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport,
        base_url="http://control",
        timeout=_TIMEOUT_SECONDS,
        trust_env=False,  # the socket is a file: no proxy of the environment has a say
        headers={"sealring-operator": operator()},
    )


def operator() -> str:
    """Name the user of the operating system, for the audit."""
    # Not from the environment, where anybody may write any name.
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return re.sub(r"[^A-Za-z0-9._@-]", "_", name)[:64] or "unknown"
