"""`sealring demo`: one command from nothing to a server, an API and a page to play with (SECURITY D7)."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from sealring.compose import ComposeProblem, DemoTerms, make_master_key, open_house, serve_house
from sealring.config import Settings
from sealring.demo.conformance_seed import SEED_ACTS
from sealring.demo.example_api import find_example, open_api_socket, run_example_api
from sealring.demo.folder import (
    AUDIENCE,
    CLOCK_OFFSET_FILE,
    USERNAME,
    DemoProblem,
    make_settings_of_demo,
)
from sealring.demo.playground import playground_routes
from sealring.demo.residents import Residents, settle_residents

DEMO_FOLDER: Final = Path("demo-data")
PORT: Final = 8700
API_PORT: Final = 8701
_SAY: Final = partial(print, flush=True)


async def run_demo(
    *,
    folder: Path = DEMO_FOLDER,
    port: int = PORT,
    api_port: int = API_PORT,
    say: Callable[[str], None] = _SAY,
) -> int:
    """Run the demo until SIGTERM or SIGINT and return 0, or 1 where the example API ended by itself.

    `say`: prints the screen. Raises DemoProblem where something is in the way; what was made is kept.
    """
    example = find_example()
    api_socket = open_api_socket(api_port)
    try:
        settings = make_settings_of_demo(folder, port=port)
        terms = DemoTerms(
            routes=playground_routes(api_port=api_port),
            clock_offset_file=settings.folder / CLOCK_OFFSET_FILE,
            acts=SEED_ACTS,
        )
        residents = await _furnish(settings, terms)
        stop, api_ended = asyncio.Event(), asyncio.Event()

        def follow_api() -> None:
            api_ended.set()
            stop.set()

        async with run_example_api(
            api_socket,
            example=example,
            environment=_environment_of_api(settings, residents),
            when_it_ends=follow_api,
        ):
            await serve_house(
                settings,
                demo=terms,
                announce=lambda: say(screen(settings, residents, api_port=api_port)),
                until=stop,
            )
    except ComposeProblem as problem:
        raise DemoProblem(str(problem)) from problem
    finally:
        api_socket.close()
    if api_ended.is_set():
        say("The example API ended by itself, so the demo ends too; its last words are above.")
        return 1
    return 0


def screen(settings: Settings, residents: Residents, *, api_port: int) -> str:
    """Write what whoever started the demo sees: where to go, ada's passphrase, and the next commands."""
    api = f"localhost:{api_port}/orders"
    return f"""
  Sealring's demo is up, on this machine only. Ctrl-C ends it; what it knows stays in {settings.folder.name}/

    playground   {settings.issuer}/
    sign in as   {USERNAME}
    passphrase   {residents.passphrase}

  Or in a second terminal:

    export TOKEN=$(./sealring demo token)
    curl -H "Authorization: Bearer $TOKEN" {api}
    ./sealring sessions end --user {USERNAME}
    curl -H "Authorization: Bearer $TOKEN" {api}
"""


async def _furnish(settings: Settings, terms: DemoTerms) -> Residents:
    """Complete what an earlier start has not made, before anybody may ask for it."""
    if not settings.path(settings.master_key_file).exists():
        make_master_key(settings)
    async with open_house(settings, demo=terms) as opened:
        identity = await opened.desk.store.state.identity()
        if not identity.demo:
            raise DemoProblem(f"{settings.folder} holds a real installation, not a demo: name another folder.")
        return await settle_residents(opened.desk, settings.folder)


def _environment_of_api(settings: Settings, residents: Residents) -> dict[str, str]:
    return {
        "SEALRING_ISSUER": settings.issuer,
        "SEALRING_AUDIENCE": AUDIENCE,
        "SEALRING_API_KEY": residents.api_key.reveal(),
        "ORDERS_PAGE_ORIGIN": settings.issuer,
    }
