"""The fake issuer: tokens, and an address at which its metadata, keys, introspection and revocation feed answer."""

import json
import secrets
from typing import Self, Unpack
from urllib.parse import parse_qs

from sealring_verify.claims import parse_access_token
from sealring_verify.errors import TokenRefused
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import PrivateKey, generate_private_key
from sealring_verify.jwks import JwksPolicy
from sealring_verify.revocation_check import check_revoked, token_ids
from sealring_verify.testing.clock import Clock
from sealring_verify.testing.feed import RevocationFeed, json_answer
from sealring_verify.testing.loopback_server import Answer, LoopbackServer, Request
from sealring_verify.testing.tokens import Tokens
from sealring_verify.verifier import Verifier
from sealring_verify.verifier_options import VerifierOptions

API_KEY = "sla_testing"
"""The secret of every API of a fake issuer."""

_OFFLINE = "https://issuer.example"
_CLIENT_ERROR = {"error": "invalid_client", "code": "client_authentication_failed"}


class Issuer(Tokens):
    """An issuer for one test, or for all of a run; `url` is its identifier.

    `audience`: the API under test, which its tokens are for. `alg`: ES256, RS256, PS256 or Ed25519. It answers on
    loopback until it is closed, and is a context manager. `offline=True`: it opens no socket; its verifiers are given
    its keys, and nothing can be revoked. `requests`: the paths that it was asked for, in their order.
    """

    def __init__(self, audience: str = "api", *, alg: str = "ES256", offline: bool = False) -> None:
        self._server = None if offline else LoopbackServer(self._respond)
        self.url = _OFFLINE if self._server is None else f"http://127.0.0.1:{self._server.port}"
        super().__init__(self.url, audience=audience, alg=alg, clock=Clock(self._notice_move))
        self.api_key = API_KEY
        self.feed = RevocationFeed(self.url, api_key=self.api_key, time=self.clock)
        self._published: list[PrivateKey] = [self.key]
        self._dropped: list[str | None] = []
        self._opaque: dict[str, str] = {}
        self.requests: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Answer nobody any more."""
        self.feed.close()
        if self._server is not None:
            self._server.stop()
            self._server = None

    def verifier(self, audience: str | None = None, **options: Unpack[VerifierOptions]) -> Verifier:
        """Make a verifier of this issuer whose clock is the issuer's; `options` are those of `Verifier`."""
        merged: VerifierOptions = {**self.options(), **options}
        return Verifier(self.url, audience or self.audience, **merged)

    def options(self) -> VerifierOptions:
        """Give what a verifier, that of a framework too, is told so that its clock and keys are the issuer's."""
        clocks = VerifierOptions(clock=self.clock, monotonic=self.clock.monotonic)
        if self._server is None:
            return {**clocks, "jwks": self.jwks(), "feed": "off"}
        return {**clocks, "api_key": self.api_key}

    def environment(self) -> dict[str, str]:
        """Give the variables that `Verifier.from_environment` reads, for an API that makes its verifier by itself."""
        return {
            "SEALRING_ISSUER": self.url,
            "SEALRING_AUDIENCE": self.audience,
            "SEALRING_API_KEY": self.api_key,
        }

    def jwks(self) -> dict[str, object]:
        """Give the published keys as a JWK set."""
        return {"keys": [key.public_jwk() for key in self._published]}

    def opaque(self, token: str) -> str:
        """Give an opaque token in place of a signed one, for an API of that format: introspection says what it is."""
        opaque = "slo_" + secrets.token_urlsafe(48)
        self._opaque[opaque] = token
        return opaque

    def rotate_key(self) -> None:
        """Publish a new key and sign with it from now on; the one before stays published.

        The clock is moved by the 10 s within which a verifier asks once at most for a key that it does not know.
        """
        self.key = generate_private_key(self.key.alg)
        self._published.append(self.key)
        self.clock.move(JwksPolicy().pause_for_unknown_key)

    def revoke(
        self, token: str | None = None, *, sid: str | None = None, sub: str | None = None, client_id: str | None = None
    ) -> None:
        """End one token, a session, or all tokens so far of a subject or a client.

        It returns when the verifiers that follow the feed know, after 2 s at most. ValueError for an offline issuer,
        and unless one thing is named.
        """
        if self._server is None:
            raise ValueError("an offline issuer has no feed to tell of it")
        match token, sid, sub, client_id:
            case str(), None, None, None:
                self.feed.end("jti", parse_access_token(_payload(self._signed(token))).jti)
            case None, str(), None, None:
                self.feed.end("sid", sid)
            case None, None, str(), None:
                self.feed.end("sub", sub, epoch=self._next_epoch("sub", sub))
            case None, None, None, str():
                self.feed.end("client", client_id, epoch=self._next_epoch("client", client_id))
            case _:
                raise ValueError("name one: a token, sid, sub or client_id")

    def drop_next_answer(self, path: str | None = None) -> None:
        """Close the connection of the next request without an answer: of any, or of the next for a path as `/jwks`."""
        self._dropped.append(path)

    def skew(self, seconds: float) -> None:
        """Set the clock that this issuer writes into its tokens ahead of everybody else's, or behind it."""
        self._ahead = seconds

    def _notice_move(self) -> None:
        self.feed.notice_move()

    def _next_epoch(self, kind: str, value: str) -> int:
        self._epochs[kind, value] = self._epochs.get((kind, value), 0) + 1
        return self._epochs[kind, value]

    def _respond(self, request: Request) -> Answer | None:
        self.requests.append(request.path)
        for path in self._dropped:
            if path in {None, request.path}:
                self._dropped.remove(path)
                return None
        match request.path:
            case "/.well-known/oauth-authorization-server" | "/.well-known/openid-configuration":
                return json_answer(self._metadata())
            case "/jwks":
                return json_answer(self.jwks(), headers={"Cache-Control": "max-age=300"})
            case "/introspect":
                return self._introspect(request)
            case "/revocations" | "/revocations/snapshot" | "/revocations/jwks" | "/reports":
                return self.feed.answer(request)
            case _:
                return Answer(status=404)

    def _metadata(self) -> dict[str, object]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "introspection_endpoint": f"{self.url}/introspect",
            "sealring_revocation_endpoint": f"{self.url}/revocations",
            "sealring_revocation_jwks_uri": f"{self.url}/revocations/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.key.alg],
        }

    def _introspect(self, request: Request) -> Answer:
        audience = self.feed.audience_of(request)
        if audience is None:
            return json_answer(_CLIENT_ERROR, status=401)
        token = self._signed(parse_qs(request.body.decode()).get("token", [""])[0])
        try:
            self._check_live(token, audience)
        except TokenRefused:
            return json_answer({"active": False})
        return json_answer({"active": True, "token_type": "Bearer", **json.loads(_payload(token))})

    def _signed(self, token: str) -> str:
        return self._opaque.get(token, token)

    def _check_live(self, token: str, audience: str) -> None:
        # Without leeway: by the issuer's own clock.
        judge = Verifier(self.url, audience, jwks=self.jwks(), leeway=0, feed="off", clock=self.clock)
        access_token = judge.verify(token)
        check_revoked(
            access_token,
            token_ids(access_token, None),
            entries=self.feed.ended,
            max_access_token_lifetime=None,
            now=self.clock(),
        )


def _payload(token: str) -> bytes:
    return base64url.decode(token.split(".")[1].encode())
