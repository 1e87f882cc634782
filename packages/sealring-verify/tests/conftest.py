"""A real issuer over HTTP on loopback: signs with the package's own jose, serves metadata, keys and introspection."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import PrivateKey, generate_private_key
from sealring_verify.jose.jws import sign_compact

Reply = tuple[int, dict[str, str], bytes]


class LocalIssuer:
    """`faults` maps a path to a function that answers in place of the issuer; `requests` lists the paths asked for."""

    def __init__(self, path: str = "") -> None:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                pass

            def _answer(self, body: bytes) -> None:
                issuer.requests.append(self.path)
                status, headers, answer = issuer.reply(self.path, self.headers.get("Authorization"), body)
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer)

        self._handler = Handler
        self.requests: list[str] = []
        self.faults: dict[str, Callable[[], Reply]] = {}
        self.introspections: list[tuple[str | None, bytes]] = []
        self.active = True
        self.cache_control = "max-age=300"
        self.key = generate_private_key("ES256", kid="k1")
        self.published = [self.key]
        self.metadata: dict[str, Any] = {}
        self.start(0)
        self.url = f"http://127.0.0.1:{self.port}{path}"
        self.metadata_path = f"/.well-known/oauth-authorization-server{path}"
        self.metadata = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "introspection_endpoint": f"{self.url}/introspect",
        }

    def start(self, port: int) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def rotate_key(self, kid: str) -> None:
        self.key = generate_private_key("ES256", kid=kid)
        self.published = [*self.published, self.key]

    def reply(self, path: str, authorization: str | None, body: bytes) -> Reply:
        if path in self.faults:
            return self.faults[path]()
        if path == self.metadata_path:
            return 200, {"Content-Type": "application/json"}, json.dumps(self.metadata).encode()
        if path.endswith("/jwks"):
            document = json.dumps({"keys": [key.public_jwk() for key in self.published]})
            return 200, {"Content-Type": "application/json", "Cache-Control": self.cache_control}, document.encode()
        if path.endswith("/introspect"):
            self.introspections.append((authorization, body))
            return 200, {"Content-Type": "application/json"}, json.dumps({"active": self.active}).encode()
        return 404, {}, b""

    def delay_once(self, path: str, seconds: float) -> None:
        def reply() -> Reply:
            del self.faults[path]
            time.sleep(seconds)
            return self.reply(path, None, b"")

        self.faults[path] = reply

    def claims(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - claims are any JSON
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": "u1",
            "aud": "orders",
            "exp": now + 600,
            "iat": now,
            "jti": "j1",
            "client_id": "web",
            "scope": "orders:read orders:write",
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, *, key: PrivateKey | None = None, typ: str = "at+jwt", **changes: Any) -> str:  # noqa: ANN401 - claims are any JSON
        key = key or self.key
        header = base64url.encode(json.dumps({"alg": key.alg, "kid": key.kid, "typ": typ}).encode())
        return sign_compact(json.dumps(self.claims(**changes)).encode(), key=key, header=header)


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    local = LocalIssuer()
    yield local
    local.stop()


@pytest.fixture
def issuer_with_path() -> Iterator[LocalIssuer]:
    local = LocalIssuer("/auth/eu")
    yield local
    local.stop()
