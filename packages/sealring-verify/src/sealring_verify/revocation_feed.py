"""The revocation feed (docs/reference/revocation-feed.md), pure: how what was ended is named, and its messages read."""

import json
from hashlib import sha256
from typing import Annotated, Literal

import msgspec

from sealring_verify.errors import InvalidToken
from sealring_verify.jose import base64url
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jose.jws import verify_compact

RevocationKind = Literal["jti", "sid", "sub", "client", "kid"]
"""What an entry ends: one token, a session, a person's or a client's tokens below an epoch, a key."""

FEED_MESSAGE_TYPE = "sealring-revocations+jwt"
"""The `typ` of the feed's messages, so that none of them ever passes for another kind of token."""

REVOCATION_ID_OCTETS = 16

MAX_MESSAGE_LENGTH = 128 * 1024 * 1024
"""Octets. A snapshot of a million entries has some 85 MB; nothing that is longer could be kept."""

_KINDS = frozenset({"jti", "sid", "sub", "client", "kid"})
_EPOCH_KINDS = frozenset({"sub", "client"})
_ID_LENGTH = 22

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class MessageRefused(ValueError):  # noqa: N818 - it reads as what happened
    """A feed message was not accepted. `code` is one of the verifier's codes of tokens, or `replayed`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class FeedEntry(msgspec.Struct, frozen=True, array_like=True):
    """One thing that was ended, as it travels. `at`, `until`: seconds since 1970; `until` None: never forgotten."""

    n: _Count
    kind: str
    id: str
    at: _Count
    until: _Count | None
    epoch: _Count | None = None
    ignorable: object = None

    @property
    def is_known(self) -> bool:
        """Say whether this verifier understands what the entry ends."""
        return self.kind in _KINDS

    @property
    def is_ignorable(self) -> bool:
        """Say whether a verifier that does not know the kind may pass over it."""
        return self.ignorable == "ignorable"


class FeedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message whose signature, type, issuer and audience held; `after` None: a snapshot. `time`: milliseconds.

    `kid`: of the key that signed it; from the header, whatever the payload says.
    """

    iss: _Text
    aud: _Text
    inc: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
    n: _Count
    digest: _Text
    time: _Count
    max_access_token_lifetime: _Count
    entries: tuple[FeedEntry, ...]
    after: _Count | None = None
    previous: _Text | None = None
    nonce: _Text | None = None
    ack: bool = False
    kid: str = ""


_message = msgspec.json.Decoder(FeedMessage)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def revocation_id(kind: RevocationKind, value: str) -> bytes:
    """Give the 16 octets under which a value stands in the feed: the first half of SHA-256(kind ‖ value).

    No kind is the beginning of another, so no two pairs share an input.
    """
    return sha256(kind.encode() + value.encode("utf-8", "surrogatepass")).digest()[:REVOCATION_ID_OCTETS]


def parse_feed_message(message: str | bytes, *, keys: KeySet, issuer: str, audience: str) -> FeedMessage:
    """Read a message and check it, signature first. `keys` are the feed's, never those of access tokens.

    Raises MessageRefused and nothing else, whatever the octets; its code is `unknown_key` where the feed's keys may be
    newer than these.
    """
    try:
        jws = verify_compact(message, keys=keys, algorithms=("ES256",), max_length=MAX_MESSAGE_LENGTH)
    except InvalidToken as refusal:
        raise MessageRefused(refusal.code) from None
    if jws.header.kid is None:
        raise MessageRefused("unknown_key")
    if jws.header.typ != FEED_MESSAGE_TYPE:
        raise MessageRefused("wrong_type")
    parsed = _parse_payload(jws.payload)
    if parsed.iss != issuer:
        raise MessageRefused("wrong_issuer")
    if parsed.aud != audience:
        raise MessageRefused("wrong_audience")
    return msgspec.structs.replace(parsed, kid=jws.header.kid)


def entry_id(entry: FeedEntry) -> bytes:
    """Give the 16 octets of a known entry's id."""
    return base64url.decode(entry.id.encode())


def _parse_payload(payload: bytes) -> FeedMessage:
    try:
        parsed = _message.decode(payload)
        _refuse_duplicates(payload)
        for entry in parsed.entries:
            _check_entry(entry)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        # No cause: its text could quote what was parsed.
        raise MessageRefused("token_malformed") from None
    if (parsed.after is None) != (parsed.previous is None) or (parsed.after or 0) > parsed.n:
        raise MessageRefused("invalid_claim")
    return parsed


def _check_entry(entry: FeedEntry) -> None:
    if not entry.is_known:
        return
    if len(entry.id) != _ID_LENGTH:
        raise ValueError("an id has 16 octets")
    base64url.decode(entry.id.encode("ascii"))
    if (entry.epoch is not None) != (entry.kind in _EPOCH_KINDS):
        raise ValueError("an epoch belongs to kinds sub and client alone")


def _refuse_duplicates(payload: bytes) -> None:
    # What is written anew has each member once. Equal octets need no second, slow look at a large message.
    if msgspec.json.encode(_members.decode(payload)) != payload:
        json.loads(payload.decode(), object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("an object names a member twice")
