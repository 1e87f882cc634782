"""`sealring demo token`: sign ada in for the API `orders`, the way any back-end would."""

from pathlib import Path

import httpx

from sealring.demo.folder import (
    AUDIENCE,
    CLIENT_SECRET_FILE,
    COMMAND_CLIENT,
    ORDERS_SCOPES,
    PASSPHRASE_FILE,
    USERNAME,
    DemoProblem,
    read_secret,
    read_settings_of_demo,
)
from sealring.demo.run import DEMO_FOLDER


async def demo_token(*, folder: Path = DEMO_FOLDER) -> str:
    """Open a session for ada at the running demo and return its access token.

    Raises DemoProblem: exit status 3 where no demo answers, 1 where the sign-in is refused.
    """
    settings = read_settings_of_demo(folder)
    passphrase = read_secret(settings.folder / PASSPHRASE_FILE)
    client_secret = read_secret(settings.folder / CLIENT_SECRET_FILE)
    if passphrase is None or client_secret is None:
        raise DemoProblem("The demo has not been set up to its end: start it with `sealring demo`.", exit_status=3)
    request = {
        "username": USERNAME,
        "password": passphrase,
        "scope": " ".join(ORDERS_SCOPES),
        "resource": AUDIENCE,
    }
    try:
        # trust_env: a proxy of the environment has no business with a passphrase for this very machine.
        async with httpx.AsyncClient(trust_env=False, timeout=30, auth=(COMMAND_CLIENT, client_secret)) as client:
            answer = await client.post(f"{settings.issuer}/session", json=request)
            members = answer.json()
    except (httpx.HTTPError, ValueError) as problem:
        raise DemoProblem(
            f"The demo does not answer at {settings.issuer}: start it with `sealring demo` and leave it running.",
            exit_status=3,
        ) from problem
    if answer.status_code != httpx.codes.OK:
        raise DemoProblem(f"The demo refused to sign ada in: {members.get('error_description')}", exit_status=1)
    return str(members["access_token"])
