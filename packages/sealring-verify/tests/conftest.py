"""A real issuer over HTTP on loopback: serves metadata, keys, introspection and revocation feed, signed by our jose."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from sealring_verify import TokenRefused, Verifier
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import PrivateKey, SecretKey, generate_private_key
from sealring_verify.jose.jws import sign_compact
from sealring_verify.revocation_feed import FEED_MESSAGE_TYPE, revocation_id
from sealring_verify.testing.feed import json_answer
from sealring_verify.testing.loopback_server import Answer, LoopbackServer, Request

Reply = tuple[int, dict[str, str], bytes]


class LocalIssuer:
    """`faults` maps a path to a function that answers in place of the issuer; `requests` lists the paths asked for."""

    def __init__(self, path: str = "") -> None:
        self.requests: list[str] = []
        self.faults: dict[str, Callable[[], Reply]] = {}
        self.feed: LocalFeed | None = None
        self.introspections: list[tuple[str | None, bytes]] = []
        self.token_requests: list[tuple[str | None, bytes]] = []
        self.expires_in = 600
        self.active = True
        self.cache_control = "max-age=300"
        self.key = generate_private_key("ES256", kid="k1")
        self.published = [self.key]
        self._server = LoopbackServer(self._answer)
        self.port = self._server.port
        self.stop = self._server.stop
        self.url = f"http://127.0.0.1:{self.port}{path}"
        self.metadata_path = f"/.well-known/oauth-authorization-server{path}"
        self.metadata = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "introspection_endpoint": f"{self.url}/introspect",
            "token_endpoint": f"{self.url}/token",
        }

    def _answer(self, request: Request) -> Answer:
        query = f"?{urlencode(request.query)}" if request.query else ""
        self.requests.append(request.path + query)
        if self.feed is not None and ("/revocations" in request.path or "/reports" in request.path):
            return self.feed.answer(request)
        status, headers, body = self.reply(request.path + query, request.headers.get("authorization"), request.body)
        return Answer(status=status, headers=headers, body=body)

    def start(self, port: int) -> None:
        assert port == self.port
        self._server.start()

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
        if path.endswith("/token"):
            self.token_requests.append((authorization, body))
            answer = {
                "access_token": f"t{len(self.token_requests)}",
                "token_type": "Bearer",
                "expires_in": self.expires_in,
            }
            return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
        return 404, {}, b""

    def delay_once(self, path: str, seconds: float) -> None:
        def reply() -> Reply:
            del self.faults[path]
            time.sleep(seconds)
            return self.reply(path, None, b"")

        self.faults[path] = reply

    def verifier(self, **options: Any) -> Verifier:  # noqa: ANN401 - passed on as they come
        """Make a verifier of this issuer's feed for the API `orders`."""
        return Verifier(self.url, "orders", api_key="sla_k", **options)

    @staticmethod
    def outcome(verifier: Verifier, token: str) -> str:
        """Verify a token: its subject, or the code of its refusal."""
        try:
            return verifier.verify(token).sub
        except TokenRefused as refusal:
            return refusal.code

    @staticmethod
    def until(holds: Callable[[], bool], seconds: float = 8) -> None:
        """Wait until something holds, and fail where it does not in time."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.01)

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
            "sid": "s0",
            "scope": "orders:read orders:write",
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, *, key: PrivateKey | SecretKey | None = None, typ: str = "at+jwt", **changes: Any) -> str:  # noqa: ANN401 - claims are any JSON
        signer = key or self.key
        header = base64url.encode(json.dumps({"alg": signer.alg, "kid": signer.kid, "typ": typ}).encode())
        return sign_compact(json.dumps(self.claims(**changes)).encode(), key=signer, header=header)


class LocalFeed:
    """The feed of an issuer as docs/reference/revocation-feed.md has it, with a checkpoint each 50 ms.

    `tamper` turns a message into the octets that are sent in its place; what it returns is written as it is.
    `published`: the keys of the set, `key` alone where it is None.
    """

    def __init__(self, issuer: LocalIssuer) -> None:
        self.issuer = issuer
        self.key = generate_private_key("ES256", kid="f1")
        self.published: list[PrivateKey] | None = None
        self.hides_keys = False
        self.inc = "0" * 32
        self.entries: list[list[Any]] = []
        self.lost_until = 0
        self.max_lifetime = 3600
        self.status = 200
        self.silent = False
        self.streams = 0
        self.generation = 0
        self.ack = False
        self.clock: Callable[[], float] = time.time
        self.tamper: Callable[[bytes], bytes | None] = lambda message: message
        self.authorizations: set[str | None] = set()
        self.reports: list[dict[str, Any]] = []
        self.report_times: list[float] = []
        issuer.feed = self
        issuer.metadata["sealring_revocation_endpoint"] = f"{issuer.url}/revocations"
        issuer.metadata["sealring_revocation_jwks_uri"] = f"{issuer.url}/revocations/jwks"

    def end(self, kind: Any, value: str, *, epoch: int | None = None, at: int | None = None) -> None:  # noqa: ANN401 - any kind
        name = base64url.encode(revocation_id(kind, value)).decode()
        now = int(time.time())
        entry = [len(self.entries) + 1, kind, name, at or now, now + 3600]
        self.entries.append(entry if epoch is None else [*entry, epoch])

    def cut(self) -> None:
        self.generation += 1

    def digest(self, n: int) -> str:
        return f"digest-{self.inc[0]}-{n}"

    def message(self, after: int | None, nonce: str | None = None, **changes: Any) -> bytes:  # noqa: ANN401 - any JSON
        n = len(self.entries)
        members = {
            "iss": self.issuer.url,
            "aud": "orders",
            "inc": self.inc,
            "n": n,
            "digest": self.digest(n),
            "time": int(self.clock() * 1000),
            "max_access_token_lifetime": self.max_lifetime,
            "entries": self.entries[after or 0 : n],
        }
        if after is not None:
            members |= {"after": after, "previous": self.digest(after)}
        if nonce is not None:
            members["nonce"] = nonce
        if self.ack:
            members["ack"] = True
        return self.sign({**members, **changes})

    def sign(self, members: dict[str, Any], *, key: PrivateKey | None = None, typ: str = FEED_MESSAGE_TYPE) -> bytes:
        key = key or self.key
        header = base64url.encode(json.dumps({"alg": key.alg, "kid": key.kid, "typ": typ}).encode())
        return sign_compact(json.dumps(members).encode(), key=key, header=header).encode()

    def answer(self, request: Request) -> Answer:
        if request.path.endswith("/jwks"):
            keys = [self.key] if self.published is None else self.published
            return json_answer({"keys": [key.public_jwk() for key in keys]}, status=503 if self.hides_keys else 200)
        self.authorizations.add(request.headers["authorization"])
        if self.status != 200:
            return json_answer({}, status=self.status)
        if request.path.endswith("/reports"):
            self.reports.append(json.loads(request.body))
            self.report_times.append(time.monotonic())
            return Answer(status=204)
        if request.path.endswith("/snapshot"):
            return self.message_answer(self.message(None))
        after = int(request.query["after"])
        if after < self.lost_until or after > len(self.entries):
            return json_answer({}, status=410)
        if "wait" in request.query:
            return self.poll(request, after)
        return Answer(headers={"Content-Type": "text/event-stream"}, body=self.stream(after, request.query["nonce"]))

    def poll(self, request: Request, after: int) -> Answer:
        deadline = time.monotonic() + int(request.query["wait"])
        while len(self.entries) == after and time.monotonic() < deadline:
            time.sleep(0.01)
        message = self.message(after, request.query.get("nonce"))
        if len(self.entries) == after and request.headers.get("if-none-match") == f'"{after}"':
            return Answer(status=304, headers={"Sealring-Checkpoint": message.decode()})
        return self.message_answer(message)

    def stream(self, after: int, nonce: str | None) -> Iterator[bytes]:
        generation, self.streams = self.generation, self.streams + 1
        while generation == self.generation and self.status == 200:
            if not self.silent:
                n = len(self.entries)
                event = self.tamper(self.message(after, nonce))
                if event is not None:
                    yield b"id: %d\ndata: %s\n\n" % (n, event)
                    after, nonce = n, None
            time.sleep(0.05)

    def message_answer(self, message: bytes) -> Answer:
        return json_answer({"message": message.decode()}, headers={"ETag": f'"{len(self.entries)}"'})


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def feed(issuer: LocalIssuer) -> Iterator[LocalFeed]:
    local = LocalFeed(issuer)
    yield local
    local.status = 503


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
