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


class VerifiedJws(msgspec.Struct, frozen=True, kw_only=True):
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
    encoded_header, encoded_payload, encoded_signature, signing_input = _split(token, max_length)
    trusted = keys.trusted_headers.get(encoded_header)
    header = trusted or parse_header(_decode(encoded_header))
    if header.alg not in algorithms:
        raise InvalidToken("algorithm_not_allowed")
    alg = OTHER_NAMES.get(header.alg, header.alg)
    key = keys.find(header.kid, alg)
    if key is None:
        raise InvalidToken("unknown_key")
    # RFC 8725 §3.1: the key knows its algorithm; the header may only agree.
    if alg != key.alg:
        raise InvalidToken("algorithm_not_allowed")
    if not key.verify(signing_input, _decode(encoded_signature)):
        raise InvalidToken("bad_signature")
    # Only now: kept before its signature held, forged headers would push out the true ones.
    if trusted is None and len(keys.trusted_headers) < _MAX_TRUSTED_HEADERS:
        keys.trusted_headers[encoded_header] = header
    return VerifiedJws(header=header, payload=_decode(encoded_payload), key=key)


def _split(token: str | bytes, max_length: int) -> tuple[bytes, bytes, bytes, bytes]:
    if len(token) > max_length:
        raise InvalidToken("token_too_large")
    try:
        octets = token.encode("ascii") if isinstance(token, str) else token
    except UnicodeEncodeError:
        raise InvalidToken("token_malformed") from None
    parts = octets.split(b".", 3)
    if len(parts) != 3:
        raise InvalidToken("token_malformed")
    header, payload, signature = parts
    if len(header) > MAX_HEADER_LENGTH:
        raise InvalidToken("token_too_large")
    return header, payload, signature, octets[: -1 - len(signature)]


def _decode(part: bytes) -> bytes:
    try:
        return base64url.decode(part)
    except ValueError:
        raise InvalidToken("token_malformed") from None
