"""Providers under their own names: a real HTTPS server on loopback, to which their host names lead in a test."""

import contextlib
import datetime as dt
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sealring_verify import TokenRefused, Verifier
from sealring_verify.fetch import tls_context
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import PrivateKey, generate_private_key
from sealring_verify.jose.jws import sign_compact

HOSTS = (
    "example.eu.auth0.com",
    "shop.eu.auth0.com",
    "shop.okta.com",
    "cognito-idp.eu-west-1.amazonaws.com",
    "securetoken.google.com",
    "accounts.google.com",
    "www.googleapis.com",
    "login.microsoftonline.com",
    "sso.example.com",
    "id.example.com",
    "keys.example.com",
)


class Provider:
    """Answers for every provider's host name: `documents` maps an address to what is there, `requests` lists the asked.

    `key` signs tokens; `reply` can answer a POST to an address; `now` is the time of all tokens.
    """

    now = 1_790_000_000

    def __init__(self, chain: Path) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self, b"")

            def do_POST(self) -> None:
                provider.answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                pass

        self.key = _KEY
        self.documents: dict[str, Any] = {}
        self.requests: list[str] = []
        self.reply: Callable[[str | None, bytes], tuple[int, Any]] = lambda _authorization, _body: (404, {})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        address = f"https://{request.headers['Host']}{request.path}"
        self.requests.append(address)
        if request.command == "POST":
            status, document = self.reply(request.headers["Authorization"], body)
        else:
            status, document = (200, self.documents[address]) if address in self.documents else (404, {})
        answer = json.dumps(document).encode()
        with contextlib.suppress(ConnectionError):
            request.send_response(status)
            request.send_header("Content-Length", str(len(answer)))
            request.end_headers()
            request.wfile.write(answer)

    def publish(self, metadata_url: str, *, issuer: str, jwks_uri: str, **members: object) -> None:
        """Put a discovery document and a key set where this provider has them; its keys name no `alg` unless told."""
        self.documents[metadata_url] = {"issuer": issuer, "jwks_uri": jwks_uri, **members}
        jwk = {name: value for name, value in self.key.public_jwk().items() if name != "alg"}
        encryption = {**generate_private_key("ES256", kid="enc").public_jwk(), "use": "enc", "alg": "ECDH-ES"}
        self.documents[jwks_uri] = {"keys": [jwk, encryption]}

    def token(self, header: dict[str, object], claims: dict[str, object], *, key: PrivateKey | None = None) -> str:
        """Sign claims under a header. What is `...` is left out."""
        key = key or self.key
        told = {name: value for name, value in {"alg": key.alg, "kid": key.kid, **header}.items() if value is not ...}
        said = {name: value for name, value in claims.items() if value is not ...}
        encoded = base64url.encode(json.dumps(told).encode())
        return sign_compact(json.dumps(said).encode(), key=key, header=encoded)

    def clock(self) -> float:
        return self.now

    @staticmethod
    def outcome(verifier: Verifier, token: str) -> tuple[str, str | None]:
        """Say by which code, and for which claim, a token is refused; ("accepted", its subject) where it is not."""
        try:
            return "accepted", verifier.verify(token).sub
        except TokenRefused as refusal:
            return refusal.code, refusal.claim


_KEY = generate_private_key("RS256", kid="rsa-1")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Write a certificate for all the hosts that signs for itself, once with and once without its key."""
    folder = tmp_path_factory.mktemp("authority")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "the providers of the tests")])
    now = dt.datetime.now(dt.UTC)
    names = [*map(x509.DNSName, HOSTS), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, chain = folder / "trusted.pem", folder / "chain.pem"
    trusted.write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return trusted, chain


@pytest.fixture
def provider(authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Give a provider that answers at every one of `HOSTS`: the system's resolver is led here, nothing of ours is."""
    trusted, chain = authority
    local = Provider(chain)
    resolve = socket.getaddrinfo

    def led_here(host: Any, port: Any, *rest: Any, **options: Any) -> Any:  # noqa: ANN401 - the system's own signature
        if host in HOSTS and port == 443:
            return resolve("127.0.0.1", local.port, *rest, **options)
        return resolve(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", led_here)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    tls_context.cache_clear()
    yield local
    local.stop()
    tls_context.cache_clear()
