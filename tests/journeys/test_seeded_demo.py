"""A test bench over TLS on this machine: a demo whose settings were written beforehand, seeded and asked by a suite."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import httpx

if TYPE_CHECKING:
    from conftest import CertificateAuthority

SEALRING: Final = Path(sys.executable).with_name("sealring")
PAGE: Final = Path(__file__).parents[2] / "docs/reference/command-line.md"
READY_SECONDS: Final = 30
SUITE: Final = "https://localhost:9443/test/a/sealring"
SEED: Final = {
    "users": [{"username": "suite", "password": "1", "claims": {"name": "Ada Lovelace"}}],
    "clients": [
        {
            "client_id": "client",
            "client_secret": "any text",
            "redirect_uris": [f"{SUITE}/callback"],
            "backchannel_logout_uri": f"{SUITE}/backchannel_logout",
            "grant_types": ["authorization_code", "refresh_token"],
            "require_pkce": False,
        }
    ],
}


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ready(http: httpx.AsyncClient, demo: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            assert demo.returncode is None
            with suppress(httpx.TransportError):
                if (await http.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)


async def test_a_demo_serves_a_suite_over_tls(tmp_path: Path, authority: "CertificateAuthority") -> None:
    folder, port = tmp_path / "bench", free_port()
    folder.mkdir(mode=0o700)
    certificate, key = authority.issue("localhost")
    issuer = f"https://localhost:{port}"
    settings = re.search(r"## Test benches.*?```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert settings is not None
    shown = {
        "8443": f"{port}",
        "/suite/server.pem": f"{certificate}",
        "/suite/server.key": f"{key}",
        "/suite/authority.pem": f"{authority.file}",
    }
    written = settings[1]
    for placeholder, real in shown.items():
        assert placeholder in written
        written = written.replace(placeholder, real)
    (folder / "sealring.toml").write_text(written)
    seed = folder / "seed.json"
    seed.write_text(json.dumps(SEED))
    ports = ("--port", str(port), "--api-port", str(free_port()))
    demo = await asyncio.create_subprocess_exec(
        SEALRING, "demo", "--folder", folder, *ports, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        trust = authority.client_context()
        async with httpx.AsyncClient(base_url=issuer, verify=trust, trust_env=False) as http:
            await ready(http, demo)
            sown = await asyncio.create_subprocess_exec(
                SEALRING, "dev", "conformance-seed", seed, "--folder", folder, stdout=PIPE, stderr=PIPE
            )
            out, err = await asyncio.wait_for(sown.communicate(), READY_SECONDS)
            assert (sown.returncode, out.decode()) == (0, "seeded 1 user, 1 client\n"), err.decode()
            metadata = (await http.get("/.well-known/openid-configuration")).json()
            assert metadata["issuer"] == issuer
            assert metadata["frontchannel_logout_supported"]
            # A suite registers a client for each of its modules.
            for _ in range(25):
                asked = {"redirect_uris": [f"{SUITE}/callback"]}
                assert (await http.post(metadata["registration_endpoint"], json=asked)).status_code == 201
            assert metadata["registration_endpoint"] == f"{issuer}/register"
            assert "RS256" in {each["alg"] for each in (await http.get("/jwks")).json()["keys"]}
            asked = {"client_id": "client", "redirect_uri": f"{SUITE}/callback", "response_type": "code"}
            waiting = await http.get(f"/authorize?{urlencode(asked | {'scope': 'openid'})}")
            assert waiting.headers["location"].startswith(f"{issuer}/login?")
            assert "__Host-sealring-interaction" in waiting.headers["set-cookie"]
            registered = await http.post("/register", json={"redirect_uris": [f"{SUITE}/callback"]})
            assert registered.status_code == 201
    finally:
        demo.terminate()
        await asyncio.wait_for(demo.wait(), READY_SECONDS)
