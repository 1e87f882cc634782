"""Keys that turn and that are withdrawn while a real server is used and a real verifier checks its tokens."""

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from sealring_verify import InvalidToken, TokenRefused, Verifier
from sealring_verify.jwks import JwksPolicy

if TYPE_CHECKING:
    from conftest import Installation

API_KEY = "sla_of_the_tests"
PASSWORD = "a passphrase of the tests"


def kid_of(token: str) -> str:
    header = token.split(".", maxsplit=1)[0]
    return str(json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


class Traffic:
    """Four clients that refresh without a pause; each access token is verified as soon as it comes."""

    def __init__(self, installation: "Installation", verifier: Verifier) -> None:
        self._installation = installation
        self._verifier = verifier
        self.kids: set[str] = set()
        self.refusals: list[str] = []
        self.verified = 0

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        tokens = await self._installation.open_sessions(4)
        tasks = [asyncio.create_task(self._use(token)) for token in tokens]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _use(self, refresh_token: str) -> None:
        while True:
            reply = await self._installation.refresh(refresh_token)
            refresh_token, access_token = reply.refresh_token, reply.json()["access_token"]
            self.kids.add(kid_of(access_token))
            try:
                await self._verifier.verify_async(access_token)
                self.verified += 1
            except TokenRefused as refusal:
                self.refusals.append(refusal.code)


@pytest.mark.both_engines
async def test_two_rotations_under_traffic_refuse_nobody(installation: "Installation") -> None:
    installation.configure(rest="keys.key_set_seconds = 1")
    await installation.furnish()
    await installation.start()
    verifier = Verifier(installation.issuer, "orders", api_key=API_KEY)
    verifier._issuer_keys.policy = JwksPolicy(fresh_at_least=1)
    traffic = Traffic(installation, verifier)
    async with traffic.flowing():
        for _ in range(2):
            async with asyncio.timeout(15):
                # Refused until the waiting key has been published for as long as a key set may be kept.
                while (turned := await installation.run("keys", "rotate")).status != 0:
                    assert "--force" in turned.err
                    await asyncio.sleep(0.2)
            await asyncio.sleep(0.5)
    assert traffic.refusals == []
    assert len(traffic.kids) == 3
    assert traffic.verified > 50


async def test_a_key_withdrawn_under_traffic_is_refused_within_a_second_and_its_successor_taken(
    installation: "Installation",
) -> None:
    await installation.furnish()
    await installation.start()
    verifier = Verifier(installation.issuer, "orders", api_key=API_KEY)
    old = (await installation.sign_in()).json()["access_token"]
    await verifier.verify_async(old)
    traffic = Traffic(installation, verifier)
    async with traffic.flowing():
        await asyncio.sleep(0.3)
        revoked = await installation.run("keys", "revoke", kid_of(old))
        assert revoked.status == 0, revoked.err
        assert "api orders knew after" in revoked.out
        began = time.monotonic()
        try:
            await verifier.verify_async(old)
            code = "accepted"
        except InvalidToken as refusal:
            code = refusal.code
        assert (code, time.monotonic() - began < 1) == ("key_withdrawn", True)
        before = traffic.verified
        await asyncio.sleep(0.5)
        assert traffic.verified > before
    # What was on its way when the key went is refused by its name; nothing else is.
    assert set(traffic.refusals) <= {"key_withdrawn"}
    assert len(traffic.kids) == 2


async def test_the_master_key_is_changed_under_traffic_and_everything_goes_on(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()
    verifier = Verifier(installation.issuer, "orders", api_key=API_KEY)
    signed_in = (await installation.sign_in()).json()
    async with httpx.AsyncClient(base_url=installation.issuer) as http:
        key_set = (await http.get("/jwks")).content
        traffic = Traffic(installation, verifier)
        async with traffic.flowing():
            for _ in range(3):
                rewrapped = await installation.run("keys", "rewrap", "--json")
                assert rewrapped.status == 0, rewrapped.err
                assert (await installation.sign_in()).status == 200
            assert (await http.get("/jwks")).content == key_set
        assert traffic.refusals == []
        assert len(traffic.kids) == 1
        assert traffic.verified > 50
    turned = await installation.run("keys", "rotate", "--force")
    assert turned.status == 0, turned.err
    assert await installation.stop() == 0
    await installation.start()
    refreshed = await installation.refresh(signed_in["refresh_token"])
    assert refreshed.status == 200
    await verifier.verify_async(signed_in["access_token"])
    # A verifier that meets the new kid fetches the set again.
    assert kid_of(refreshed.json()["access_token"]) not in traffic.kids
    await Verifier(installation.issuer, "orders", api_key=API_KEY).verify_async(refreshed.json()["access_token"])
    verdict = await installation.run("audit", "verify", "--json")
    assert verdict.status == 0, verdict
    secrets = sorted(file.name for file in (installation.folder / "secrets").iterdir())
    assert [name for name in secrets if name.endswith((".next", ".unused"))] == []
    assert len([name for name in secrets if ".former-" in name]) == 3


async def test_a_device_is_known_after_two_turns_of_the_cookie_keys_and_a_stranger_once_its_key_is_withdrawn(
    installation: "Installation",
) -> None:
    installation.configure(rest="limits.failures_per_network = 3")
    await installation.furnish(users=2)
    await installation.start()
    device_token = (await installation.sign_in()).json()["device_token"]
    listed = json.loads((await installation.run("keys", "list", "--json")).out)["keys"]
    (made_it,) = (key["kid"] for key in listed if (key["purpose"], key["state"]) == ("cookie", "active"))
    for _ in range(2):
        turned = await installation.run("keys", "rotate", "--purpose", "cookie", "--force")
        assert turned.status == 0, turned.err
    for _ in range(3):
        await installation.post("/session", {"username": "nobody", "password": "wrong", "scope": "orders:read"})
    request = {"username": "user-0", "password": PASSWORD, "scope": "orders:read", "resource": "orders"}
    assert (await installation.post("/session", request)).status == 429
    assert (await installation.post("/session", request | {"device_token": device_token})).status == 200
    revoked = await installation.run("keys", "revoke", made_it)
    assert "1 key withdrawn; 0 sessions ended" in revoked.out
    assert (await installation.post("/session", request | {"device_token": device_token})).status == 429
