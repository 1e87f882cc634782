"""A foreign OAuth client, Authlib's, against a real server: what it expects of a provider is there."""

import asyncio
import json
import time
import warnings
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from sealring.compose import open_house
from sealring.protocol.client import Client, SecretMethod
from sealring_verify import InvalidToken, Verifier

with warnings.catch_warnings(record=True):  # it would rather have a successor of httpx, which we do not have
    from authlib.integrations.base_client import OAuthError
    from authlib.integrations.httpx_client import AsyncOAuth2Client

if TYPE_CHECKING:
    from conftest import Installation

SECRET: Final = "slc_of_the_programs"
API: Final = ("orders", "sla_of_the_tests")


async def furnish(installation: "Installation") -> None:
    """Add clients in their own name, one for each way to send a secret."""
    await installation.furnish()
    methods: dict[str, SecretMethod] = {"robot": "client_secret_basic", "poster": "client_secret_post"}
    async with open_house(installation.settings()) as opened:
        for name, method in methods.items():
            client = Client(
                client_id=name,
                name=name,
                type="confidential",
                secret_digests=(sha256(SECRET.encode()).digest(),),
                secret_method=method,
                client_credentials=True,
                allowed={"orders": frozenset({"orders:read"})},
                epoch=1,
                created_at=1,
            )
            assert await opened.house.store.clients.add(client, events=[])


@pytest.fixture
async def metadata(installation: "Installation") -> AsyncIterator[dict[str, Any]]:
    await furnish(installation)
    await installation.start()
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{installation.issuer}/.well-known/oauth-authorization-server")
        yield answer.json()


def client_of(metadata: dict[str, Any], name: str, secret: str, method: str) -> AsyncOAuth2Client:
    assert method in metadata["token_endpoint_auth_methods_supported"]
    return AsyncOAuth2Client(
        name,
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        token_endpoint=metadata["token_endpoint"],
    )


async def introspect(metadata: dict[str, Any], token: str) -> dict[str, Any]:
    async with AsyncOAuth2Client(*API, token_endpoint_auth_method="client_secret_basic") as api:
        answer = await api.introspect_token(metadata["introspection_endpoint"], token=token)
        assert answer.status_code == 200
        told: dict[str, Any] = answer.json()
        return told


def code_within(verifier: Verifier, token: str, *, seconds: float) -> str | None:
    """Ask until the token is refused, and say with which code."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            verifier.verify(token)
        except InvalidToken as refused:
            return refused.code
        time.sleep(0.05)
    return None


@pytest.mark.parametrize(("name", "method"), [("robot", "client_secret_basic"), ("poster", "client_secret_post")])
async def test_it_gets_a_token_in_its_own_name_and_gives_it_back(
    installation: "Installation", metadata: dict[str, Any], name: str, method: str
) -> None:
    async with client_of(metadata, name, SECRET, method) as client:
        token = await client.fetch_token(grant_type="client_credentials", scope="orders:read")
        assert (token["token_type"], token["expires_in"]) == ("Bearer", 600)
        assert "refresh_token" not in token
        told = await introspect(metadata, token["access_token"])
        assert (told["active"], told["sub"], told["client_id"]) == (True, name, name)
        verifier = Verifier(installation.issuer, "orders", api_key=API[1])
        verified = await asyncio.to_thread(verifier.verify, token["access_token"])
        assert (verified.sub, verified.sid, verified.scopes) == (name, None, ("orders:read",))
        answer = await client.revoke_token(metadata["revocation_endpoint"], token=token["access_token"])
        assert (answer.status_code, answer.content) == (200, b"")
        assert await introspect(metadata, token["access_token"]) == {"active": False}
        # A second is promised; a machine under load may owe it.
        assert await asyncio.to_thread(code_within, verifier, token["access_token"], seconds=5) == "token_revoked"


async def test_a_compromised_client_ends_with_every_token_that_it_got(
    installation: "Installation", metadata: dict[str, Any]
) -> None:
    verifier = Verifier(installation.issuer, "orders", api_key=API[1])
    async with client_of(metadata, "robot", SECRET, "client_secret_basic") as client:
        token = await client.fetch_token(grant_type="client_credentials", scope="orders:read")
        assert await asyncio.to_thread(code_within, verifier, token["access_token"], seconds=0.1) is None
        ran = await installation.run("clients", "rotate-secret", "robot", "--compromised", "--json")
        assert ran.status == 0, ran.err
        assert await asyncio.to_thread(code_within, verifier, token["access_token"], seconds=5) == "client_revoked"
        assert await introspect(metadata, token["access_token"]) == {"active": False}
        with pytest.raises(OAuthError, match="invalid_client"):
            await client.fetch_token(grant_type="client_credentials", scope="orders:read")


async def test_what_a_client_lost_is_accepted_as_long_as_the_command_says_or_until_it_is_ended(
    installation: "Installation", metadata: dict[str, Any]
) -> None:
    verifier = Verifier(installation.issuer, "orders", api_key=API[1])
    async with client_of(metadata, "robot", SECRET, "client_secret_basic") as client:
        token = await client.fetch_token(grant_type="client_credentials", scope="orders:read")
        ran = await installation.run("clients", "update", "robot", "--no-client-credentials", "--json")
        assert ran.status == 0, ran.err
        (lost,) = json.loads(ran.out)["taken_away"]
        claims = await asyncio.to_thread(verifier.verify, token["access_token"])
        assert lost["api"] == "orders"
        assert 0 <= lost["accepted_until"] / 1000 - claims.exp < 60
        with pytest.raises(OAuthError, match="unauthorized_client"):
            await client.fetch_token(grant_type="client_credentials", scope="orders:read")
        ran = await installation.run("clients", "rotate-secret", "robot", "--compromised", "--json")
        assert ran.status == 0, ran.err
        assert await asyncio.to_thread(code_within, verifier, token["access_token"], seconds=5) == "client_revoked"


async def test_it_refreshes_and_ends_a_persons_session(installation: "Installation", metadata: dict[str, Any]) -> None:
    signed_in = (await installation.sign_in()).json()
    async with client_of(metadata, "shop", "slc_of_the_tests", "client_secret_basic") as client:
        first = await client.refresh_token(metadata["token_endpoint"], refresh_token=signed_in["refresh_token"])
        assert first["refresh_token"] != signed_in["refresh_token"]
        # As after a lost answer.
        again = await client.refresh_token(metadata["token_endpoint"], refresh_token=signed_in["refresh_token"])
        assert again["refresh_token"] == first["refresh_token"]
        narrowed = await client.refresh_token(
            metadata["token_endpoint"], refresh_token=first["refresh_token"], scope="orders:read"
        )
        assert narrowed["scope"] == "orders:read"
        answer = await client.revoke_token(
            metadata["revocation_endpoint"], token=narrowed["refresh_token"], token_type_hint="access_token"
        )
        assert answer.status_code == 200
        for access_token in (signed_in["access_token"], first["access_token"], narrowed["access_token"]):
            assert await introspect(metadata, access_token) == {"active": False}
        with pytest.raises(OAuthError) as refused:
            await client.refresh_token(metadata["token_endpoint"], refresh_token=narrowed["refresh_token"])
        assert refused.value.error == "invalid_grant"


async def test_it_understands_every_refusal(metadata: dict[str, Any]) -> None:
    for name, secret, method, asked, error in (
        ("robot", "slc_wrong", "client_secret_basic", {}, "invalid_client"),
        ("robot", SECRET, "client_secret_post", {}, "invalid_client"),
        ("shop", "slc_of_the_tests", "client_secret_basic", {}, "unauthorized_client"),
        ("robot", SECRET, "client_secret_basic", {"scope": "orders:write"}, "invalid_scope"),
        ("robot", SECRET, "client_secret_basic", {"resource": "https://other.example"}, "invalid_target"),
        ("robot", SECRET, "client_secret_basic", {"grant_type": "password"}, "unsupported_grant_type"),
    ):
        async with client_of(metadata, name, secret, method) as client:
            with pytest.raises(OAuthError) as refused:
                await client.fetch_token(**{"grant_type": "client_credentials", "scope": "orders:read", **asked})
            assert refused.value.error == error


async def test_a_megabyte_is_refused_and_the_server_goes_on(metadata: dict[str, Any]) -> None:
    async with httpx.AsyncClient() as http:
        for endpoint in ("token_endpoint", "revocation_endpoint", "introspection_endpoint"):
            answer = await http.post(metadata[endpoint], data={"token": "a" * 2**20}, auth=API)
            assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    async with client_of(metadata, "robot", SECRET, "client_secret_basic") as client:
        assert (await client.fetch_token(grant_type="client_credentials", scope="orders:read"))["access_token"]
