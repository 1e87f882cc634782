"""Tokens as an issuer makes them (RFC 9068), and those that an API must refuse."""

import json
import secrets
from collections.abc import Mapping

import msgspec

from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import PrivateKey, SecretKey, generate_private_key, make_secret_key
from sealring_verify.jose.jws import encode_header, sign_compact
from sealring_verify.testing.clock import Clock

_HOUR = 3600


class BadToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that an API must answer with 401, and the code that a `Verifier` refuses it by."""

    name: str
    token: str
    code: str


class Tokens:
    """Makes the tokens of one issuer. `audience`: the API that they are for. `lifetime`: seconds.

    A claim that is given replaces what would stand there; one that is given as None is left out.
    """

    def __init__(self, iss: str, *, audience: str, alg: str, clock: Clock) -> None:
        self.audience = audience
        self.clock = clock
        self.lifetime = 600
        self.key = generate_private_key(alg)
        self._iss = iss
        self._ahead = 0.0
        self._epochs: dict[tuple[str, str], int] = {}

    def claims(self, **claims: object) -> dict[str, object]:
        """Give the claims of a good token of a person's session, dates by the issuer's clock."""
        now = int(self.clock() + self._ahead)
        sub, client_id = claims.get("sub", "user-1"), claims.get("client_id", "client-1")
        members: dict[str, object] = {
            "iss": self._iss,
            "sub": sub,
            "aud": self.audience,
            "exp": now + self.lifetime,
            "iat": now,
            "jti": secrets.token_urlsafe(15),
            "client_id": client_id,
            "sid": secrets.token_urlsafe(15),
            "sub_epoch": self._epochs.get(("sub", str(sub)), 0),
            "client_epoch": self._epochs.get(("client", str(client_id)), 0),
            **claims,
        }
        return {name: value for name, value in members.items() if value is not None}

    def sign(
        self, claims: Mapping[str, object], *, typ: str = "at+jwt", key: PrivateKey | SecretKey | None = None
    ) -> str:
        """Sign whatever claims, by this issuer's key or another."""
        key = self.key if key is None else key
        return sign_compact(
            json.dumps(claims).encode(), key=key, header=encode_header(typ=typ, alg=key.alg, kid=key.kid)
        )

    def token(self, *, sub: str = "user-1", scope: str | None = None, **claims: object) -> str:
        """Make a good token. `scope`: one or several, with spaces between them."""
        return self.sign(self.claims(sub=sub, scope=scope, **claims))

    def client_token(self, *, client_id: str = "client-1", scope: str | None = None, **claims: object) -> str:
        """Make a good token of a client in its own name: it has no session, and itself as the subject."""
        own: dict[str, object] = {"sub": client_id, "sid": None, "sub_epoch": None, **claims}
        return self.sign(self.claims(client_id=client_id, scope=scope, **own))

    def expired_token(self, **claims: object) -> str:
        """Make a token that expired an hour ago, beyond any leeway."""
        exp = int(self.clock()) - _HOUR
        return self._good_but(claims, iat=exp - self.lifetime, exp=exp)

    def not_yet_valid_token(self, **claims: object) -> str:
        """Make a token whose time begins in an hour."""
        begins = int(self.clock()) + _HOUR
        return self._good_but(claims, iat=begins, nbf=begins, exp=begins + self.lifetime)

    def wrong_audience_token(self, **claims: object) -> str:
        """Make a token for another API."""
        return self._good_but(claims, aud=f"not-{self.audience}")

    def wrong_issuer_token(self, **claims: object) -> str:
        """Make a token that names another issuer, under a key of this one."""
        return self._good_but(claims, iss=f"{self._iss}/another")

    def unsigned_token(self, **claims: object) -> str:
        """Make a token of `alg` none, which has no signature."""
        header = base64url.encode(json.dumps({"alg": "none", "typ": "at+jwt", "kid": self.key.kid}).encode())
        payload = base64url.encode(json.dumps(self.claims(**claims)).encode())
        return f"{header.decode()}.{payload.decode()}."

    def wrong_key_token(self, **claims: object) -> str:
        """Make a token under a foreign key that goes by the id of this issuer's."""
        return self.sign(self.claims(**claims), key=generate_private_key(self.key.alg, kid=self.key.kid))

    def unknown_key_token(self, **claims: object) -> str:
        """Make a token under a key that this issuer never published."""
        return self.sign(self.claims(**claims), key=generate_private_key(self.key.alg))

    def public_key_as_secret_token(self, **claims: object) -> str:
        """Make a token of HS256 whose secret is this issuer's public key, which everybody has (RFC 8725 §2.1)."""
        secret = json.dumps(self.key.public_jwk()).encode()
        return self.sign(self.claims(**claims), key=make_secret_key(secret, kid=self.key.kid))

    def altered_token(self, **claims: object) -> str:
        """Make a good token and give it another subject afterwards, as whoever holds it could."""
        members = self.claims(**claims)
        header, _, signature = self.sign(members).split(".")
        payload = base64url.encode(json.dumps({**members, "sub": "somebody-else"}).encode())
        return f"{header}.{payload.decode()}.{signature}"

    def id_token(self, **claims: object) -> str:
        """Make an ID token (OpenID Connect Core §2) whose audience is wrongly this API."""
        members = self.claims(**{**claims, "client_id": None, "scope": None, "nonce": secrets.token_urlsafe(8)})
        return self.sign(members, typ="JWT")

    def bound_token(self, **claims: object) -> str:
        """Make a token that is bound to a key (RFC 9449 §6.1), and so worth nothing as a plain bearer token."""
        return self._good_but(claims, cnf={"jkt": base64url.encode(secrets.token_bytes(32)).decode()})

    def missing_scope_token(self, **claims: object) -> str:
        """Make a good token without any scope: the answer is 403 `insufficient_scope`, not 401."""
        return self._good_but(claims, scope=None)

    def bad_tokens(self, **claims: object) -> tuple[BadToken, ...]:
        """Make one of each kind that an API must answer with 401. Give the scope that the operation needs."""
        made = {
            "expired": (self.expired_token, "token_expired"),
            "not yet valid": (self.not_yet_valid_token, "token_not_yet_valid"),
            "for another API": (self.wrong_audience_token, "wrong_audience"),
            "of another issuer": (self.wrong_issuer_token, "wrong_issuer"),
            "unsigned": (self.unsigned_token, "algorithm_not_allowed"),
            "under a foreign key": (self.wrong_key_token, "bad_signature"),
            "under an unknown key": (self.unknown_key_token, "unknown_key"),
            "under the public key as a secret": (self.public_key_as_secret_token, "algorithm_not_allowed"),
            "altered": (self.altered_token, "bad_signature"),
            "an ID token": (self.id_token, "wrong_type"),
            "bound to a key": (self.bound_token, "proof_of_possession_required"),
        }
        return tuple(BadToken(name=name, token=make(**claims), code=code) for name, (make, code) in made.items())

    def _good_but(self, claims: Mapping[str, object], **faults: object) -> str:
        return self.sign(self.claims(**{**claims, **faults}))
