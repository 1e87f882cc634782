"""Keys at work, and where fresh ones come from."""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import HOUSE_SCHEDULES, KeyState, Schedule, StoredKey
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.protocol.secret import Randomness
from sealring.protocol.symmetric_secret import SymmetricSecret
from sealring_verify.jose.jwks import KeySet


class ForgedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """An API's secret, fresh: as the store keeps it, and as the API is given it."""

    key: StoredKey
    secret: SymmetricSecret


class KeyForge(Protocol):
    """Where fresh keys come from, sealed under the master key that seals those `beside` them."""

    def __call__(
        self, schedule: Schedule, state: KeyState, now: Instant, *, beside: Iterable[StoredKey] = ()
    ) -> StoredKey:
        """Make a fresh key of a schedule that no API owns, to stand in a state."""
        ...

    def make_secret(self, api: str, state: KeyState, now: Instant, *, beside: Iterable[StoredKey] = ()) -> ForgedSecret:
        """Make a fresh secret for an API: only where it can be delivered, since nothing reads it out again."""
        ...


class MacKey(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of refresh tokens (`secret`) and of opaque access tokens, each derived for that purpose alone."""

    mac_key_id: int
    secret: bytes
    opaque_secret: bytes

    def __repr__(self) -> str:
        return f"MacKey(mac_key_id={self.mac_key_id}, …)"


class Signer(Protocol):
    """Keys at work: access tokens are signed and refresh tokens made here, and only here."""

    @property
    def realm(self) -> TokenRealm:
        """Issuer and incarnation, to which every refresh token is bound."""
        ...

    def sign_access_token(self, payload: bytes, *, line: Schedule = HOUSE_SCHEDULES[0]) -> str | None:
        """Sign JSON claims as a JWT of type `at+jwt` (RFC 9068) under the active key of a line; None without one.

        Under an API's own secret the claims are sealed first: whoever has it could sign others.
        """
        ...

    def sign_jwt(self, payload: bytes, *, typ: str, alg: str) -> str | None:
        """Sign JSON claims as a JWT of another type under the house's key of an algorithm; None without one."""
        ...

    def recall_signed_token(self, token: str) -> bytes | None:
        """Return the claims of a JWT that this node signed lately under the keys at work, with a published key.

        None for every other token, which may be good all the same. The claims may have expired.
        """
        ...

    def encrypt_access_token(self, token: str, *, encryption_jwks: str) -> str:
        """Encrypt a signed access token to the first usable key of an API's set (RFC 7519 §A.2)."""
        ...

    def seal_opaque_token(self, payload: bytes, *, randomness: Randomness) -> str:
        """Write the opaque access token that holds these JSON claims, under the newest MAC key (SECURITY C4)."""
        ...

    def open_opaque_token(self, token: str) -> bytes | None:
        """Return the claims in an opaque access token of ours, None for anything else. They may have expired."""
        ...

    def use(self, keys: tuple[StoredKey, ...]) -> str | None:
        """Work with the store's keys as they are now; a sentence, and no change, where they cannot be used."""
        ...

    def current_mac_key(self) -> MacKey:
        """Return the newest MAC key."""
        ...

    def find_mac_key(self, mac_key_id: int) -> MacKey | None:
        """Return a MAC key that is still accepted, or None."""
        ...

    def device_keys(self) -> tuple[bytes, ...]:
        """Return the keys of device tokens, 32 octets each: the first makes new ones, all are accepted."""
        ...

    def interaction_keys(self) -> tuple[bytes, ...]:
        """Return the keys of requests that wait for a log-in: the first makes new ones, all are accepted."""
        ...

    def key_set(self) -> bytes:
        """Return the JWK set (RFC 7517 §5) as JSON."""
        ...

    def sign_feed_message(self, payload: bytes) -> str:
        """Sign a message of the revocation feed under the feed key, which signs nothing else (SECURITY B3)."""
        ...

    def feed_key_set(self) -> bytes:
        """Return the JWK set of the feed's keys as JSON, apart from the one of access tokens."""
        ...

    def verification_keys(self) -> KeySet:
        """Return the published keys in the form that `sealring_verify` checks with; an API's secret is never there."""
        ...

    def symmetric_keys(self, api: str) -> KeySet:
        """Return the secrets of one API, to check nothing with but what that API asks about tokens of its own."""
        ...

    def seal_holds(self, payload: bytes, *, kid: str | None) -> bool:
        """Say whether claims that were signed under an API's secret are our own, and no other holder's."""
        ...
