"""An API with a secret of its own: added, verified, turned under traffic, and told of a session's end by the feed."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import InvalidToken, TokenRefused, Verifier
from sealring_verify.symmetric_secret import parse_symmetric_secret

if TYPE_CHECKING:
    from conftest import Installation


async def command(installation: "Installation", *arguments: str) -> dict[str, Any]:
    ran = await installation.run(*arguments, "--json")
    assert ran.status == 0, ran.err
    value = ran.value()
    assert isinstance(value, dict)
    return value


class Person:
    """Signs in for the API `parcels`, and refreshes without a pause; each access token goes to the API at once."""

    def __init__(self, installation: "Installation") -> None:
        self._installation = installation
        self.refusals: list[str] = []
        self.kids: set[str] = set()
        self.accepted = 0
        self.access_token = ""

    async def use(self, verifiers: list[Verifier]) -> None:
        """Use `verifiers[0]`: the test puts another in its place, as a deployment does."""
        scope = {"scope": "parcels:read", "resource": "parcels"}
        answer = await self._installation.post(
            "/session", {"username": "user-0", "password": "a passphrase of the tests", **scope}
        )
        while True:
            verifier = verifiers[0]
            self.access_token = answer.json()["access_token"]
            try:
                token = await verifier.verify_async(self.access_token)
                assert (token.sub, token.aud) == ("sub-0", ("parcels",))
                self.accepted += 1
            except TokenRefused as refusal:
                self.refusals.append(refusal.code)
            answer = await self._installation.refresh(answer.refresh_token)


async def test_a_secret_turns_under_traffic_without_a_refusal_and_an_end_is_known_by_the_feed(
    installation: "Installation",
) -> None:
    await installation.furnish()
    await installation.start()
    adding = ("apis", "add", "parcels", "--scope", "parcels:read", "See parcels", "--symmetric")
    made = await command(installation, *adding)
    allowed = ("--allow", "orders", "orders:read orders:write", "--allow", "parcels", "parcels:read")
    await command(installation, "clients", "update", "shop", *allowed)
    first = made["symmetric"]["symmetric_secret"]

    def deployed(*secrets: str) -> Verifier:
        return Verifier(installation.issuer, "parcels", api_key=made["api_key"], symmetric_secrets=secrets)

    verifiers = [deployed(first)]
    person = Person(installation)
    using = asyncio.create_task(person.use(verifiers))
    try:
        await asyncio.sleep(0.3)
        second = (await command(installation, "keys", "rotate", "--api", "parcels"))["secret"]["symmetric_secret"]
        early = await installation.run("keys", "rotate", "--api", "parcels")
        assert (early.status, "--force" in early.err) == (1, True)
        # The API is deployed again with both; the server turns once its verifiers say so.
        verifiers[0] = deployed(first, second)
        async with asyncio.timeout(30):
            while (turned := await installation.run("keys", "rotate", "--api", "parcels")).status != 0:
                assert "not every verifier" in turned.err
                await asyncio.sleep(0.3)
        before = person.accepted
        await asyncio.sleep(0.5)
        assert person.accepted > before
        assert person.refusals == []
        header_kid = parse_symmetric_secret(second).kid
        with pytest.raises(InvalidToken, match="unknown"):
            deployed(first).verify(person.access_token)
        listed = await command(installation, "keys", "list")
        states = {key["kid"]: key["state"] for key in listed["keys"] if key["api"] == "parcels"}
        assert states == {header_kid: "active", parse_symmetric_secret(first).kid: "retiring"}
    finally:
        using.cancel()
        await asyncio.wait([using])
    await end_is_known(installation, verifiers[0], person.access_token)


async def end_is_known(installation: "Installation", verifier: Verifier, access_token: str) -> None:
    assert (await verifier.verify_async(access_token)).sub == "sub-0"
    ended = await installation.run("sessions", "end", "--user", "user-0")
    assert "api parcels knew after" in ended.out
    began = time.monotonic()
    with pytest.raises(InvalidToken, match="session_ended"):
        await verifier.verify_async(access_token)
    assert time.monotonic() - began < 1
