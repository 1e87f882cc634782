"""The issuer's end of the revocation feed (docs/reference/revocation-feed.md), for any API that knows the secret."""

import base64
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote_plus

from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import PrivateKey, generate_private_key
from sealring_verify.jose.jws import encode_header, sign_compact
from sealring_verify.revocation_feed import FEED_MESSAGE_TYPE, RevocationKind, revocation_id
from sealring_verify.revoked_entries import RevokedEntries
from sealring_verify.testing.loopback_server import Answer, Request

CHECKPOINT_SECONDS = 0.2
"""How often a stream says that nothing happened, and notices that nobody reads it any more."""

_ACKNOWLEDGED_SECONDS = 2.0
_LONGEST_WAIT = 25
_INCARNATION = "0" * 32


class RevocationFeed:
    """What an issuer ended, and its messages about it. `time`: seconds that only grow, as far as the feed can tell."""

    def __init__(self, iss: str, *, api_key: str, time: Callable[[], float]) -> None:
        self.key = generate_private_key("ES256")
        self.entries: list[list[object]] = []
        self.max_access_token_lifetime = 3600
        self.ended = RevokedEntries()
        self._iss = iss
        self._api_key = api_key
        self._time = time
        self._changed = threading.Condition()
        self._closed = False
        self._moves = 0
        self._streams: Counter[str] = Counter()
        self._positions: dict[tuple[str, str], int] = {}

    def end(self, kind: RevocationKind, value: str, *, epoch: int | None = None) -> None:
        """End something, and wait until each verifier with an open stream has said that it knows: 2 s at most."""
        identifier = revocation_id(kind, value)
        at = int(self._time())
        with self._changed:
            n = len(self.entries) + 1
            entry: list[object] = [n, kind, base64url.encode(identifier).decode(), at, None]
            self.entries.append(entry if epoch is None else [*entry, epoch])
            self.ended.add(identifier, at=at, until=None, epoch=epoch or 0, now=at)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or self._all_know(n), _ACKNOWLEDGED_SECONDS)

    def notice_move(self) -> None:
        """Send the time at once, since a clock was moved."""
        with self._changed:
            self._moves += 1
            self._changed.notify_all()

    def close(self) -> None:
        """End all streams."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def answer(self, request: Request) -> Answer:
        """Answer a request for the feed, its keys, or with a report."""
        if request.path.endswith("/jwks"):
            return json_answer({"keys": [self.key.public_jwk()]})
        audience = self.audience_of(request)
        if audience is None:
            return json_answer({"error": "invalid_client", "code": "client_authentication_failed"}, status=401)
        if request.path.endswith("/reports"):
            return self._take_report(audience, request.body)
        if request.path.endswith("/snapshot"):
            return self._message_answer(audience, after=None)
        after = int(request.query["after"])
        if after > len(self.entries):
            return json_answer({"error": "invalid_request", "code": "feed_gap"}, status=410)
        nonce = request.query.get("nonce")
        if request.headers.get("accept") == "text/event-stream":
            return Answer(
                headers={"Content-Type": "text/event-stream"}, body=self._stream(audience, after=after, nonce=nonce)
            )
        with self._changed:
            wait = min(int(request.query.get("wait", "0")), _LONGEST_WAIT)
            self._changed.wait_for(lambda: self._closed or len(self.entries) > after, wait)
        if len(self.entries) == after and request.headers.get("if-none-match") == f'"{after}"':
            checkpoint = self.message(audience, after=after, nonce=nonce).decode()
            return Answer(status=304, headers={"Sealring-Checkpoint": checkpoint, "ETag": f'"{after}"'})
        return self._message_answer(audience, after=after, nonce=nonce)

    def message(self, audience: str, *, after: int | None, nonce: str | None = None) -> bytes:
        """Sign what an API must know beyond position `after`; None: a snapshot."""
        n = len(self.entries)
        entries = self.entries[after or 0 : n]
        members: dict[str, object] = {
            "iss": self._iss,
            "aud": audience,
            "inc": _INCARNATION,
            "n": n,
            "digest": f"digest-{n}",
            "time": int(self._time() * 1000),
            "max_access_token_lifetime": self.max_access_token_lifetime,
            "entries": entries,
        }
        if after is not None:
            members |= {"after": after, "previous": f"digest-{after}"}
            # Whoever called `end` waits for the answer to this.
            members |= {"ack": True} if entries else {}
        if nonce is not None:
            members["nonce"] = nonce
        return sign_message(members, key=self.key)

    def audience_of(self, request: Request) -> str | None:
        """Name the API that asks, or None where its secret is another."""
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        audience, _, secret = base64.b64decode(encoded).decode().partition(":")
        return unquote_plus(audience) if unquote_plus(secret) == self._api_key else None

    def _stream(self, audience: str, *, after: int, nonce: str | None) -> Iterator[bytes]:
        with self._changed:
            self._streams[audience] += 1
        try:
            while not self._closed:
                moves, n = self._moves, len(self.entries)
                yield b"id: %d\ndata: %s\n\n" % (n, self.message(audience, after=after, nonce=nonce))
                after, nonce = n, None
                self._wait_for_news(moves, n)
        finally:
            with self._changed:
                self._streams[audience] -= 1

    def _wait_for_news(self, moves: int, n: int) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or moves != self._moves or n != len(self.entries), CHECKPOINT_SECONDS
            )

    def _message_answer(self, audience: str, *, after: int | None, nonce: str | None = None) -> Answer:
        n = len(self.entries)
        message = self.message(audience, after=after, nonce=nonce).decode()
        return json_answer({"message": message}, headers={"ETag": f'"{n}"'})

    def _take_report(self, audience: str, body: bytes) -> Answer:
        report = json.loads(body)
        with self._changed:
            if isinstance(report["position"], int):
                self._positions[audience, report["verifier"]] = report["position"]
            self._changed.notify_all()
        return Answer(status=204)

    def _all_know(self, n: int) -> bool:
        know = Counter(audience for (audience, _), position in self._positions.items() if position >= n)
        return all(know[audience] >= count for audience, count in self._streams.items())


def sign_message(members: dict[str, object], *, key: PrivateKey) -> bytes:
    """Sign the members of a message as the feed does."""
    header = encode_header(typ=FEED_MESSAGE_TYPE, alg=key.alg, kid=key.kid)
    return sign_compact(json.dumps(members).encode(), key=key, header=header).encode()


def json_answer(
    members: Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer with a JSON object."""
    return Answer(
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
        body=json.dumps(members).encode(),
    )
