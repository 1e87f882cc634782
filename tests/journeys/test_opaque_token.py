"""An API with opaque tokens: added, asked about, ended by the feed within a second, and nothing to read on the way."""

import time
from typing import TYPE_CHECKING

import pytest

from sealring_verify import InvalidToken, Verifier

if TYPE_CHECKING:
    from conftest import Installation, Ran


async def command(installation: "Installation", *arguments: str) -> "Ran":
    ran = await installation.run(*arguments)
    assert ran.status == 0, ran.err
    return ran


async def test_an_opaque_token_is_known_to_its_api_alone_and_its_end_within_a_second(
    installation: "Installation",
) -> None:
    await installation.furnish()
    await installation.start()
    adding = ("apis", "add", "letters", "--scope", "letters:read", "Read letters", "--claim", "email")
    made = (await command(installation, *adding, "--format", "opaque", "--json")).value()
    assert isinstance(made, dict)
    allowed = ("--allow", "orders", "orders:read orders:write", "--allow", "letters", "letters:read")
    await command(installation, "clients", "update", "shop", *allowed)
    await command(installation, "users", "claims", "user-0", "--set", '{"email": "ada@example.com"}')
    request = {"username": "user-0", "password": "a passphrase of the tests", "scope": "letters:read"}
    answer = await installation.post("/session", {**request, "resource": "letters"})
    token = answer.json()["access_token"]
    assert token.startswith("slo_")

    # A restart loses nothing: the token is in no row, and its key is in the store.
    await installation.stop()
    await installation.start()
    verifier = Verifier(installation.issuer, "letters", api_key=made["api_key"], opaque=True)
    known = await verifier.verify_async(token, scopes=["letters:read"])
    assert (known.sub, known.sub_epoch, known.claims["email"]) == ("sub-0", 1, "ada@example.com")
    orders = Verifier(installation.issuer, "orders", api_key="sla_of_the_tests", opaque=True, feed="off")
    with pytest.raises(InvalidToken, match="token_inactive"):
        await orders.verify_async(token)

    ended = await command(installation, "sessions", "end", "--user", "user-0")
    assert "api letters knew after" in ended.out
    began = time.monotonic()
    with pytest.raises(InvalidToken, match="session_ended"):
        await verifier.verify_async(token)
    assert time.monotonic() - began < 1
