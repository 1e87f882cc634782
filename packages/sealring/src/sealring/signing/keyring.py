"""The keys at work, unsealed from the store: signs access tokens, makes refresh tokens' MACs (SECURITY A2, C)."""

import json
from collections.abc import Sequence
from typing import Final

import msgspec

from sealring.ports import KeyForge, MacKey, Randomness
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import KeyPurpose, KeyState, StoredKey, published_keys
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.signing.master_key import MasterKey
from sealring.signing.sealing import SealBroken, SealingContext, derive, seal, unseal
from sealring_verify.jose import jwk, jwks, jws
from sealring_verify.revocation_feed import FEED_MESSAGE_TYPE

_ALG: Final = "ES256"
_MAC_SECRET_OCTETS: Final = 32


class KeyringProblem(msgspec.Struct, frozen=True):
    """Why the keys of a store cannot be used, as a sentence for the operator."""

    sentence: str


class Keyring:
    """`ports.Signer` over keys that are sealed in the store."""

    def __init__(
        self,
        *,
        signing: jwk.PrivateKey,
        published: Sequence[bytes],
        mac_keys: Sequence[MacKey],
        feed_signing: jwk.PrivateKey,
        feed_published: Sequence[bytes],
        device_key: bytes,
        realm: TokenRealm,
    ) -> None:
        self._signing = signing
        self._header = jws.encode_header(typ="at+jwt", alg=signing.alg, kid=signing.kid)
        self._key_set = _key_set(published)
        self._verification_keys = jwks.parse_jwks(self._key_set)
        self._feed_signing = feed_signing
        self._feed_header = jws.encode_header(typ=FEED_MESSAGE_TYPE, alg=feed_signing.alg, kid=feed_signing.kid)
        self._feed_key_set = _key_set(feed_published)
        self._mac_keys = {key.mac_key_id: key for key in mac_keys}
        self._newest_mac_key = mac_keys[-1]
        self._device_key = device_key
        self._realm = realm

    @property
    def realm(self) -> TokenRealm:
        """Issuer and incarnation, to which every refresh token is bound."""
        return self._realm

    def sign_access_token(self, payload: bytes) -> str:
        """Sign JSON claims as a JWT of type `at+jwt` (RFC 9068) under the active key."""
        return jws.sign_compact(payload, key=self._signing, header=self._header)

    def current_mac_key(self) -> MacKey:
        """Return the newest MAC key."""
        return self._newest_mac_key

    def find_mac_key(self, mac_key_id: int) -> MacKey | None:
        """Return a MAC key that is still accepted, or None."""
        return self._mac_keys.get(mac_key_id)

    def device_key(self) -> bytes:
        """Return the key of device tokens, which makes nothing else (SECURITY F3)."""
        return self._device_key

    def key_set(self) -> bytes:
        """Return the JWK set (RFC 7517 §5) as JSON."""
        return self._key_set

    def sign_feed_message(self, payload: bytes) -> str:
        """Sign a message of the revocation feed under the feed key, which signs nothing else (SECURITY B3)."""
        return jws.sign_compact(payload, key=self._feed_signing, header=self._feed_header)

    def feed_key_set(self) -> bytes:
        """Return the JWK set of the feed's keys as JSON, apart from the one of access tokens."""
        return self._feed_key_set

    def verification_keys(self) -> jwks.KeySet:
        """Return the published keys in the form that `sealring_verify` checks with."""
        return self._verification_keys


def open_keyring(keys: tuple[StoredKey, ...], *, master_key: MasterKey, realm: TokenRealm) -> Keyring | KeyringProblem:
    """Unseal the store's keys; a master key that does not open them is a sentence, not a traceback."""
    signing: jwk.PrivateKey | None = None
    feed_signing: jwk.PrivateKey | None = None
    mac_keys: list[MacKey] = []
    for key in keys:
        try:
            secret = unseal(master_key, key.sealed, context=_context(key.kid, key.alg, key.purpose, realm.issuer))
        except SealBroken:
            return KeyringProblem(
                f"The master key (id {master_key.id}) does not open the key {key.kid} of this store. Point "
                "master_key_file at the key that was made with it, and keep the issuer as it was."
            )
        if key.purpose == "mac" and key.mac_key_id is not None and key.state != "retired":
            mac_keys.append(MacKey(mac_key_id=key.mac_key_id, secret=derive(secret, "refresh")))
        elif key.purpose == "access_token" and key.state == "active":
            signing = jwk.import_private_key(secret, kid=key.kid, alg=key.alg)
        elif key.purpose == "feed" and key.state == "active":
            feed_signing = jwk.import_private_key(secret, kid=key.kid, alg=key.alg)
    if signing is None or feed_signing is None or not mac_keys:
        return KeyringProblem("The store holds no active signing key: restore its keys from a backup.")
    return Keyring(
        signing=signing,
        published=_public_jwks(keys, "access_token"),
        mac_keys=mac_keys,
        feed_signing=feed_signing,
        feed_published=_public_jwks(keys, "feed"),
        # From the master key, not from a MAC key that turns: after a turn or a recovery everybody signs in at once,
        # which is when known devices need their places most. What it makes opens nothing.
        device_key=derive(master_key.reveal(), "device"),
        realm=realm,
    )


def make_key_forge(*, master_key: MasterKey, issuer: str, randomness: Randomness) -> KeyForge:
    """Return the maker of fresh keys, sealed under `master_key` for `issuer`."""

    def forge(purpose: KeyPurpose, state: KeyState, now: Instant) -> StoredKey:
        mac_key_id: int | None = None
        public: bytes | None = None
        if purpose == "mac":
            # Numbers come round after 256 turns; the store's unique column refuses one that is still in use.
            mac_key_id = randomness(1)[0]
            kid, alg, secret = f"mac-{mac_key_id}", "HS256", randomness(_MAC_SECRET_OCTETS)
        else:
            private = jwk.generate_private_key(_ALG)
            kid, alg, secret = private.kid, _ALG, jwk.export_private_key(private)
            public = json.dumps(private.public_jwk(), separators=(",", ":"), sort_keys=True).encode()
        sealed = seal(master_key, secret, context=_context(kid, alg, purpose, issuer), randomness=randomness)
        return StoredKey(
            kid=kid,
            purpose=purpose,
            alg=alg,
            state=state,
            mac_key_id=mac_key_id,
            sealed=sealed,
            public_jwk=public,
            created_at=now,
        )

    return forge


def _public_jwks(keys: tuple[StoredKey, ...], purpose: KeyPurpose) -> list[bytes]:
    return [key.public_jwk for key in published_keys(keys, purpose) if key.public_jwk is not None]


def _key_set(published: Sequence[bytes]) -> bytes:
    return b'{"keys":[' + b",".join(published) + b"]}"


def _context(kid: str, alg: str, purpose: str, issuer: str) -> SealingContext:
    return SealingContext(issuer=issuer, table="keys", row_id=kid, kid=kid, alg=alg, purpose=purpose)
