"""The keys at work, unsealed from the store: signs access tokens, makes refresh tokens' MACs (SECURITY A2, C)."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

import msgspec

from sealring.ports import ForgedSecret, KeyForge, MacKey, Randomness
from sealring.protocol import access_token
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import (
    FORMER_DEVICE_KEY,
    HOUSE_SCHEDULES,
    KeyPurpose,
    KeyState,
    Schedule,
    StoredKey,
    published_keys,
)
from sealring.protocol.opaque_token import parse_opaque_token
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.protocol.secret import Secret
from sealring.protocol.symmetric_secret import SymmetricSecret
from sealring.signing.master_key_file import MasterKeyFile
from sealring.signing.opaque_token import open_opaque_token, seal_opaque_token
from sealring.signing.sealing import derive, seal
from sealring.signing.signed_tokens import SignedTokens
from sealring.signing.unsealing import KeyringProblem, key_context, unseal_key
from sealring_verify.jose import base64url, jwe, jwk, jwks, jws
from sealring_verify.revocation_feed import FEED_MESSAGE_TYPE
from sealring_verify.symmetric_secret import symmetric_kid, write_symmetric_secret

_SECRET_OCTETS: Final = 32
_SHARED: Final = "symmetric secret"
"""What is derived from a sealed root under this label is shared with its API; the seal's key never is."""


class _SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    key: jwk.PrivateKey
    header: bytes


class _SymmetricKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API's secret at work, and the key of the seal, which that API has not."""

    key: jwk.SecretKey
    header: bytes
    seal_key: bytes


class _CookieKey(msgspec.Struct, frozen=True):
    """What one key of the line of cookies makes: device tokens, and requests that wait for a log-in."""

    device: bytes
    interaction: bytes


class _Unsealed(msgspec.Struct, frozen=True, kw_only=True):
    signing: dict[Schedule, _SigningKey | _SymmetricKey]
    symmetric: dict[str, jwks.KeySet]  # by API
    seal_keys: dict[str, bytes]  # by kid
    key_set: bytes
    verification_keys: jwks.KeySet
    feed: _SigningKey
    feed_key_set: bytes
    mac_keys: dict[int, MacKey]
    newest_mac_key: MacKey
    cookie_keys: tuple[_CookieKey, ...]
    signed: SignedTokens = msgspec.field(default_factory=SignedTokens)  # other keys begin without a memory


class Keyring:
    """`ports.Signer` over keys that are sealed in the store.

    All that is unsealed hangs on one reference, which `use` swaps: a call under way ends with the keys it began with.
    """

    def __init__(self, unsealed: _Unsealed, *, master_key: MasterKeyFile, realm: TokenRealm) -> None:
        self._unsealed = unsealed
        self._master_key = master_key
        self._realm = realm

    @property
    def realm(self) -> TokenRealm:
        """Issuer and incarnation, to which every refresh token is bound."""
        return self._realm

    def use(self, keys: tuple[StoredKey, ...]) -> str | None:
        """Work with the store's keys as they are now; a sentence, and no change, where they cannot be used."""
        unsealed = _unseal_all(keys, master_key=self._master_key, issuer=self._realm.issuer)
        if isinstance(unsealed, KeyringProblem):
            return unsealed.sentence
        self._unsealed = unsealed
        return None

    def sign_access_token(self, payload: bytes, *, line: Schedule = HOUSE_SCHEDULES[0]) -> str | None:
        """Sign JSON claims as a JWT of type `at+jwt` (RFC 9068) under the active key of a line; None without one."""
        unsealed = self._unsealed
        signing = unsealed.signing.get(line)
        if signing is None:
            return None
        if isinstance(signing, _SymmetricKey):
            payload = access_token.seal_payload(payload, seal_key=signing.seal_key)
            return jws.sign_compact(payload, key=signing.key, header=signing.header)
        token = jws.sign_compact(payload, key=signing.key, header=signing.header)
        unsealed.signed.note(token)
        return token

    def recall_signed_token(self, token: str) -> bytes | None:
        """Return the claims of a JWT that this node signed lately under the keys at work; None where it must look."""
        if token not in self._unsealed.signed:
            return None
        return base64url.decode(token.split(".")[1].encode())

    def sign_jwt(self, payload: bytes, *, typ: str, alg: str) -> str | None:
        """Sign JSON claims as a JWT of another type under the house's key of an algorithm; None without one."""
        signing = self._unsealed.signing.get(Schedule("access_token", alg))
        if not isinstance(signing, _SigningKey):
            return None
        header = _header(typ, alg, signing.key.kid)
        return jws.sign_compact(payload, key=signing.key, header=header)

    def encrypt_access_token(self, token: str, *, encryption_jwks: str) -> str:
        """Encrypt a signed access token to the first usable key of an API's set (RFC 7519 §A.2)."""
        return jwe.encrypt_compact(token, key=_encryption_key(encryption_jwks))

    def seal_opaque_token(self, payload: bytes, *, randomness: Randomness) -> str:
        """Write the opaque access token that holds these JSON claims, under the active MAC key (SECURITY C4)."""
        return seal_opaque_token(
            payload, mac_key=self._unsealed.newest_mac_key, realm=self._realm, randomness=randomness
        )

    def open_opaque_token(self, token: str) -> bytes | None:
        """Return the claims in an opaque access token of ours, None for anything else. They may have expired."""
        parsed = parse_opaque_token(token)
        mac_key = None if parsed is None else self.find_mac_key(parsed.mac_key_id)
        if parsed is None or mac_key is None:
            return None
        return open_opaque_token(parsed, mac_key=mac_key, realm=self._realm)

    def current_mac_key(self) -> MacKey:
        """Return the active MAC key."""
        return self._unsealed.newest_mac_key

    def find_mac_key(self, mac_key_id: int) -> MacKey | None:
        """Return a MAC key that is still accepted, or None."""
        return self._unsealed.mac_keys.get(mac_key_id)

    def device_keys(self) -> tuple[bytes, ...]:
        """Return the keys of device tokens: the first makes new ones, all are accepted (SECURITY F3)."""
        return tuple(key.device for key in self._unsealed.cookie_keys)

    def interaction_keys(self) -> tuple[bytes, ...]:
        """Return the keys of requests that wait for a log-in: the first makes new ones, all are accepted."""
        return tuple(key.interaction for key in self._unsealed.cookie_keys)

    def key_set(self) -> bytes:
        """Return the JWK set (RFC 7517 §5) as JSON."""
        return self._unsealed.key_set

    def sign_feed_message(self, payload: bytes) -> str:
        """Sign a message of the revocation feed under the feed key, which signs nothing else (SECURITY B3)."""
        feed = self._unsealed.feed
        return jws.sign_compact(payload, key=feed.key, header=feed.header)

    def feed_key_set(self) -> bytes:
        """Return the JWK set of the feed's keys as JSON, apart from the one of access tokens."""
        return self._unsealed.feed_key_set

    def verification_keys(self) -> jwks.KeySet:
        """Return the published keys in the form that `sealring_verify` checks with; an API's secret is never there."""
        return self._unsealed.verification_keys

    def symmetric_keys(self, api: str) -> jwks.KeySet:
        """Return the secrets of one API, to check nothing with but what that API asks about tokens of its own."""
        return self._unsealed.symmetric.get(api) or jwks.KeySet(())

    def seal_holds(self, payload: bytes, *, kid: str | None) -> bool:
        """Say whether claims that were signed under an API's secret are our own, and no other holder's."""
        seal_key = None if kid is None else self._unsealed.seal_keys.get(kid)
        return seal_key is not None and access_token.seal_holds(payload, seal_key=seal_key)


def open_keyring(
    keys: tuple[StoredKey, ...], *, master_key: MasterKeyFile, realm: TokenRealm
) -> Keyring | KeyringProblem:
    """Unseal the store's keys; a master key that does not open them is a sentence, not a traceback."""
    unsealed = _unseal_all(keys, master_key=master_key, issuer=realm.issuer)
    if isinstance(unsealed, KeyringProblem):
        return unsealed
    return Keyring(unsealed, master_key=master_key, realm=realm)


def make_key_forge(*, master_key: MasterKeyFile, issuer: str, randomness: Randomness) -> KeyForge:
    """Return the maker of fresh keys, sealed for `issuer`."""
    return _Forge(master_key=master_key, issuer=issuer, randomness=randomness)


class _Forge(msgspec.Struct, frozen=True, kw_only=True):
    """`ports.KeyForge` under the master key."""

    master_key: MasterKeyFile
    issuer: str
    randomness: Randomness

    def __repr__(self) -> str:
        return f"_Forge(issuer={self.issuer!r})"

    def __call__(
        self, schedule: Schedule, state: KeyState, now: Instant, *, beside: Iterable[StoredKey] = ()
    ) -> StoredKey:
        purpose, alg, api = schedule
        if api is not None:
            raise ValueError("an API's secret is made by make_secret, which delivers it")
        randomness = self.randomness
        mac_key_id: int | None = None
        public: bytes | None = None
        if purpose == "mac":
            # Numbers come round after 256 turns; whoever makes a key throws again for one that is still in use.
            mac_key_id = randomness(1)[0]
            kid, secret = f"mac-{mac_key_id}-{randomness(6).hex()}", randomness(_SECRET_OCTETS)
        elif purpose == "cookie":
            kid, secret = f"cookie-{randomness(6).hex()}", randomness(_SECRET_OCTETS)
        else:
            private = jwk.generate_private_key(alg)
            # A thumbprint that begins with a hyphen would pass for an option of `sealring keys revoke`.
            while private.kid.startswith("-"):
                private = jwk.generate_private_key(alg)
            kid, secret = private.kid, jwk.export_private_key(private)
            public = json.dumps(private.public_jwk(), separators=(",", ":"), sort_keys=True).encode()
        return self._stored(
            kid, schedule, state, secret, public_jwk=public, mac_key_id=mac_key_id, now=now, beside=beside
        )

    def make_secret(self, api: str, state: KeyState, now: Instant, *, beside: Iterable[StoredKey] = ()) -> ForgedSecret:
        root = self.randomness(_SECRET_OCTETS)
        shared = derive(root, _SHARED)
        kid = symmetric_kid(shared)
        schedule = Schedule("access_token", "HS256", api)
        return ForgedSecret(
            key=self._stored(kid, schedule, state, root, public_jwk=None, mac_key_id=None, now=now, beside=beside),
            secret=SymmetricSecret(api=api, kid=kid, symmetric_secret=Secret(write_symmetric_secret(shared))),
        )

    def _stored(
        self,
        kid: str,
        schedule: Schedule,
        state: KeyState,
        secret: bytes,
        *,
        public_jwk: bytes | None,
        mac_key_id: int | None,
        now: Instant,
        beside: Iterable[StoredKey],
    ) -> StoredKey:
        # As the keys that were read with it: whoever changes the master key meanwhile makes this one come too late.
        sealing = self.master_key.find_sealing(key.sealed for key in beside)
        if sealing is None:
            raise RuntimeError("the store is sealed under another master key than this node has")
        key = StoredKey(
            kid=kid,
            purpose=schedule.purpose,
            alg=schedule.alg,
            state=state,
            mac_key_id=mac_key_id,
            sealed=b"",
            public_jwk=public_jwk,
            created_at=now,
            api=schedule.api,
            activated_at=now if state == "active" else None,
        )
        sealed = seal(sealing, secret, context=key_context(key, self.issuer), randomness=self.randomness)
        return msgspec.structs.replace(key, sealed=sealed)


def _unseal_all(keys: tuple[StoredKey, ...], *, master_key: MasterKeyFile, issuer: str) -> _Unsealed | KeyringProblem:
    signing: dict[Schedule, _SigningKey | _SymmetricKey] = {}
    symmetric: dict[str, list[_SymmetricKey]] = {}
    feed: _SigningKey | None = None
    mac_keys: dict[int, MacKey] = {}
    newest: MacKey | None = None
    cookie_keys: dict[KeyState, list[_CookieKey]] = {"active": [], "pending": [], "retiring": []}
    for key in keys:
        if not key.sealed:  # erased: the key signs no more
            continue
        secret = unseal_key(key, master_key=master_key, issuer=issuer)
        if isinstance(secret, KeyringProblem):
            return secret
        if key.purpose == "mac" and key.mac_key_id is not None and key.state != "retired":
            # A pending one too: another node may have turned to it a moment ago.
            mac_keys[key.mac_key_id] = _mac_key(secret, key.mac_key_id)
            newest = mac_keys[key.mac_key_id] if key.state == "active" else newest
        elif key.purpose == "cookie" and key.state in cookie_keys:
            cookie_keys[key.state].append(_cookie_key(secret, key))
        elif key.api is not None and key.state != "retired":
            # In every state it has: what the waiting one signs may come back before this node has turned.
            made = _symmetric_key(secret, key)
            symmetric.setdefault(key.api, []).append(made)
            signing |= {key.schedule: made} if key.state == "active" else {}
        elif key.purpose == "access_token" and key.state == "active":
            signing[key.schedule] = _signing_key(secret, key, typ="at+jwt")
        elif key.purpose == "feed" and key.state == "active":
            feed = _signing_key(secret, key, typ=FEED_MESSAGE_TYPE)
    if HOUSE_SCHEDULES[0] not in signing or feed is None or newest is None or not cookie_keys["active"]:
        return KeyringProblem("The store holds no active signing key: restore its keys from a backup.")
    key_set = _key_set(keys, "access_token")
    return _Unsealed(
        signing=signing,
        symmetric={api: jwks.KeySet([each.key.verifying() for each in held]) for api, held in symmetric.items()},
        seal_keys={each.key.kid: each.seal_key for held in symmetric.values() for each in held},
        key_set=key_set,
        verification_keys=jwks.parse_jwks(key_set),
        feed=feed,
        feed_key_set=_key_set(keys, "feed"),
        mac_keys=mac_keys,
        newest_mac_key=newest,
        cookie_keys=tuple(chain.from_iterable(cookie_keys.values())),
    )


# The same text from one request to the next, so it is read once.
@lru_cache(maxsize=1024)
def _encryption_key(encryption_jwks: str) -> jwe.EncryptionKey:
    return jwe.parse_encryption_jwks(encryption_jwks.encode())[0]


@lru_cache(maxsize=64)
def _header(typ: str, alg: str, kid: str) -> bytes:
    return jws.encode_header(typ=typ, alg=alg, kid=kid)


def _signing_key(secret: bytes, key: StoredKey, *, typ: str) -> _SigningKey:
    private = jwk.import_private_key(secret, kid=key.kid, alg=key.alg)
    return _SigningKey(key=private, header=jws.encode_header(typ=typ, alg=key.alg, kid=key.kid))


def _mac_key(secret: bytes, mac_key_id: int) -> MacKey:
    return MacKey(mac_key_id=mac_key_id, secret=derive(secret, "refresh"), opaque_secret=derive(secret, "opaque"))


def _cookie_key(secret: bytes, key: StoredKey) -> _CookieKey:
    # The former one made device tokens itself, before others were derived from keys of its line by labels of their own.
    device = secret if key.kid == FORMER_DEVICE_KEY else derive(secret, "device")
    return _CookieKey(device=device, interaction=derive(secret, "interaction"))


def _symmetric_key(root: bytes, key: StoredKey) -> _SymmetricKey:
    secret = jwk.make_secret_key(derive(root, _SHARED), kid=key.kid)
    header = jws.encode_header(typ="at+jwt", alg=key.alg, kid=key.kid)
    return _SymmetricKey(key=secret, header=header, seal_key=derive(root, "access token seal"))


def _key_set(keys: Sequence[StoredKey], purpose: KeyPurpose) -> bytes:
    published = [key.public_jwk for key in published_keys(tuple(keys), purpose) if key.public_jwk is not None]
    return b'{"keys":[' + b",".join(published) + b"]}"
