"""A program with keys of its own, by Authlib's client, at a server that speaks TLS itself and fetches those keys."""

import asyncio
import json
import ssl
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sealring_verify.jose.jwk import PrivateKey, export_private_key, generate_private_key

with warnings.catch_warnings(record=True):  # it would rather have a successor of httpx, which we do not have
    from authlib.integrations.base_client import OAuthError
    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from authlib.oauth2.rfc7523 import PrivateKeyJWT

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

if TYPE_CHECKING:
    from conftest import CertificateAuthority, Installation


class Publisher:
    """The client's own https server: publishes `keys`, and counts who asked."""

    def __init__(self, *keys: PrivateKey) -> None:
        self.keys = keys
        self.asked = 0
        self.port = 0

    @asynccontextmanager
    async def serving(self, certificate: ssl.SSLContext) -> AsyncIterator["Publisher"]:
        async with await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=certificate) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        body = json.dumps({"keys": [key.public_jwk() for key in self.keys]}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        await reader.read()
        writer.transport.abort()


def pem(key: PrivateKey) -> str:
    loaded = load_der_private_key(export_private_key(key), None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def ask_for_token(metadata: dict[str, Any], key: PrivateKey, trust: ssl.SSLContext) -> dict[str, Any]:
    endpoint = metadata["token_endpoint"]
    async with AsyncOAuth2Client(
        "robot", pem(key), token_endpoint_auth_method="private_key_jwt", token_endpoint=endpoint, verify=trust
    ) as client:
        # Authlib's own choice would be an hour, which is too long.
        claims = {"exp": int(time.time()) + 300}
        client.register_client_auth_method(
            PrivateKeyJWT(endpoint, alg=key.alg, claims=claims, headers={"kid": key.kid})
        )
        token: dict[str, Any] = await client.fetch_token(scope="orders:read", grant_type="client_credentials")
        return token


@pytest.mark.both_engines
async def test_a_program_proves_itself_by_keys_that_it_publishes_and_turns(
    installation: "Installation", authority: "CertificateAuthority"
) -> None:
    certificate = authority.issue("localhost")
    trust = authority.client_context()
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(*certificate)
    first, second = (generate_private_key("RS256") for _ in range(2))  # Authlib signs by RSA alone
    async with Publisher(first).serving(own) as publisher:
        outgoing = f'outgoing = {{ca_file = "{authority.file}", allow = ["localhost:{publisher.port}"]}}'
        installation.speak_tls(*certificate, trust=trust, rest=outgoing)
        await installation.furnish()
        await installation.start()
        ways = ("--auth-method", "private_key_jwt", "--token-endpoint-audience", "--client-credentials")
        keys = ("--jwks-uri", f"https://localhost:{publisher.port}/jwks", "--allow", "orders", "orders:read")
        added = await installation.run("clients", "add", "robot", *ways, *keys)
        assert added.status == 0, added.err
        async with httpx.AsyncClient(verify=trust) as http:
            answer = await http.get(f"{installation.issuer}/.well-known/oauth-authorization-server")
        metadata = answer.json()
        assert "private_key_jwt" in metadata["token_endpoint_auth_methods_supported"]

        assert (await ask_for_token(metadata, first, trust))["scope"] == "orders:read"
        assert (await ask_for_token(metadata, first, trust))["scope"] == "orders:read"
        assert publisher.asked == 1

        publisher.keys = (first, second)
        # Ten seconds at most, and no restart: an unknown key makes one fetch in that time.
        with pytest.raises(OAuthError, match="invalid_client"):
            await ask_for_token(metadata, second, trust)
        await asyncio.sleep(11)
        assert (await ask_for_token(metadata, second, trust))["scope"] == "orders:read"
        assert publisher.asked == 2
        assert await installation.stop() == 0
