"""JWS in compact form (RFC 7515): signed, and verified without leniency."""

from collections.abc import Collection

import msgspec

from sealring_verify.errors import InvalidToken
from sealring_verify.jose import base64url
from sealring_verify.jose.algorithms import OTHER_NAMES
from sealring_verify.jose.header import Header, parse_header
from sealring_verify.jose.jwk import PrivateKey, PublicKey, SecretKey
from sealring_verify.jose.jwks import KeySet

MAX_TOKEN_LENGTH = 16 * 1024
MAX_HEADER_LENGTH = 4 * 1024
_MAX_TRUSTED_HEADERS = 64


class VerifiedJws(msgspec.Struct, frozen=True, gc=False):
    """A token whose signature held: its header, its payload's octets, and the key that it held under."""

    header: Header
    payload: bytes
    key: PublicKey


def encode_header(*, typ: str, alg: str, kid: str) -> bytes:
    """Write the encoded first part of a token. It is the same for every token of a key, so it is made once."""
    return base64url.encode(msgspec.json.encode({"alg": alg, "typ": typ, "kid": kid}))


def sign_compact(payload: bytes, *, key: PrivateKey | SecretKey, header: bytes) -> str:
    """Sign a payload. `header` is what `encode_header` gave for this very key."""
    signing_input = header + b"." + base64url.encode(payload)
    return (signing_input + b"." + base64url.encode(key.sign(signing_input))).decode("ascii")


def verify_compact(
    token: str | bytes, *, keys: KeySet, algorithms: Collection[str], max_length: int = MAX_TOKEN_LENGTH
) -> VerifiedJws:
    """Check a compact JWS against an issuer's keys and the verifier's list of algorithms, signature before content.

    `max_length` is in octets.
    Raises InvalidToken: token_too_large, token_malformed, duplicate_member, critical_header, algorithm_not_allowed,
    unknown_key, bad_signature; nothing else, whatever the octets.
    """
    if len(token) > max_length:
        raise InvalidToken("token_too_large")
    try:
        octets = token.encode("ascii") if isinstance(token, str) else token
        encoded_header, encoded_payload, encoded_signature = octets.split(b".", 3)
    except ValueError:  # no ASCII, or not three parts
        raise InvalidToken("token_malformed") from None
    if len(encoded_header) > MAX_HEADER_LENGTH:
        raise InvalidToken("token_too_large")
    trusted = keys.trusted_headers.get(encoded_header)
    header, key = trusted or _find_key(encoded_header, keys, algorithms)
    if header.alg not in algorithms:
        raise InvalidToken("algorithm_not_allowed")
    try:
        signing_input = octets[: -1 - len(encoded_signature)]
        if not key.verify(signing_input, base64url.decode(encoded_signature)):
            raise InvalidToken("bad_signature")
        # Only now: kept before its signature held, forged headers would push out the true ones.
        if trusted is None and len(keys.trusted_headers) < _MAX_TRUSTED_HEADERS:
            keys.trusted_headers[encoded_header] = header, key
        return VerifiedJws(header, base64url.decode(encoded_payload), key)
    except ValueError:
        raise InvalidToken("token_malformed") from None


def _find_key(encoded_header: bytes, keys: KeySet, algorithms: Collection[str]) -> tuple[Header, PublicKey]:
    try:
        header = parse_header(base64url.decode(encoded_header))
    except ValueError:
        raise InvalidToken("token_malformed") from None
    if header.alg not in algorithms:
        raise InvalidToken("algorithm_not_allowed")
    alg = OTHER_NAMES.get(header.alg, header.alg)
    key = keys.find(header.kid, alg)
    if key is None:
        raise InvalidToken("unknown_key")
    # RFC 8725 §3.1: the key knows its algorithm; the header may only agree.
    if alg != key.alg:
        raise InvalidToken("algorithm_not_allowed")
    return header, key
