"""An API with keys of its own: added, verified offline, its key turned, its token's end known by the feed."""

import json
import time
from typing import TYPE_CHECKING

import pytest
from joserfc.jwk import OKPKey

from sealring_verify import InvalidToken, Verifier

if TYPE_CHECKING:
    from conftest import Installation, Ran


async def command(installation: "Installation", *arguments: str, stdin: str = "") -> "Ran":
    ran = await installation.run(*arguments, stdin=stdin)
    assert ran.status == 0, ran.err
    return ran


def jwks(*keys: OKPKey, private: bool) -> str:
    return json.dumps({"keys": [key.as_dict(private=private) for key in keys]})


async def test_a_token_is_read_by_its_api_alone_while_the_key_turns_and_its_end_is_known(
    installation: "Installation",
) -> None:
    await installation.furnish()
    await installation.start()
    old, new = (OKPKey.generate_key("X25519", {"kid": kid, "use": "enc"}) for kid in ("old", "new"))
    adding = ("apis", "add", "diary", "--scope", "diary:read", "Read", "--claim", "email", "--encryption-jwks", "-")
    added = await command(installation, *adding, "--json", stdin=jwks(old, private=False))
    made = added.value()
    assert isinstance(made, dict)
    allowed = ("--allow", "orders", "orders:read orders:write", "--allow", "diary", "diary:read")
    await command(installation, "clients", "update", "shop", *allowed)
    await command(installation, "users", "claims", "user-0", "--set", '{"email": "ada@example.com"}')
    request: dict[str, object] = {"username": "user-0", "password": "a passphrase of the tests", "scope": "diary:read"}

    async def token() -> str:
        return str((await installation.post("/session", request)).json()["access_token"])

    first = await token()
    assert (first.count("."), "ada" in first) == (4, False)
    keys = jwks(old, new, private=True)
    verifier = Verifier(installation.issuer, "diary", api_key=made["api_key"], decryption_jwks=keys, introspect=True)
    assert (await verifier.verify_async(first)).claims["email"] == "ada@example.com"
    await command(installation, "apis", "update", "diary", "--encryption-jwks", "-", stdin=jwks(new, private=False))
    second = await token()
    assert (await verifier.verify_async(second)).sub == "sub-0"
    assert (await verifier.verify_async(first)).sub == "sub-0"
    late = Verifier(installation.issuer, "diary", decryption_jwks=jwks(old, private=True))
    with pytest.raises(InvalidToken, match="decryption_failed"):
        await late.verify_async(second)

    ended = await command(installation, "sessions", "end", "--user", "user-0")
    assert "api diary knew after" in ended.out
    began = time.monotonic()
    with pytest.raises(InvalidToken, match="session_ended"):
        await verifier.verify_async(second)
    assert time.monotonic() - began < 1
