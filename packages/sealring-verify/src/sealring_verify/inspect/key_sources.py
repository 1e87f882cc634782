"""The keys that a token is verified with: an issuer's, a JWK set, a PEM file or a secret's file."""

import json
import re
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from sealring_verify.inspect.trial import NamedKey, secret_key
from sealring_verify.issuer_metadata import parse_issuer
from sealring_verify.jose import algorithms, base64url
from sealring_verify.jose.jwk import PublicKey
from sealring_verify.jose.jwks import KeySet, parse_jwks
from sealring_verify.symmetric_secret import parse_symmetric_secret

_LONGEST_FILE: Final = 256 * 1024


class KeyProblem(Exception):  # noqa: N818 - a sentence for whoever named the keys
    """The keys cannot be used, or be had: `unreachable`. The message holds no secret and no part of one."""

    def __init__(self, sentence: str, *, unreachable: bool = False) -> None:
        super().__init__(sentence)
        self.unreachable = unreachable


class FoundKeys(msgspec.Struct, frozen=True, kw_only=True):
    """`keys`: all that can be used. `secret_is_short`: an HS256 secret that no verifier takes."""

    keys: KeySet
    secret_is_short: bool = False


def issuer_keys(issuer: str) -> FoundKeys:
    """Fetch an issuer's keys by its metadata. Raises KeyProblem."""
    from sealring_verify.fetch import FetchFailed, fetch_jwks  # noqa: PLC0415 - the HTTP client, only where it is needed

    try:
        document = fetch_jwks(parse_issuer(issuer)).document
    except ValueError as fault:
        raise KeyProblem(str(fault)) from None
    except FetchFailed as failure:
        raise KeyProblem(f"the issuer's keys could not be fetched: {failure}", unreachable=True) from None
    return _usable(document, "the issuer's key set")


def jwks_keys(place: str) -> FoundKeys:
    """Read a JWK set, or one JWK, from a file or an address. Raises KeyProblem."""
    if not place.startswith(("https://", "http://")):
        return _usable(_read(place, "--jwks"), "the key set")
    from sealring_verify.fetch import FetchFailed, fetch_document  # noqa: PLC0415 - as above

    try:
        # Keys that came over http could be anybody's: the rule is that for issuers.
        parse_issuer(urlsplit(place)._replace(query="", fragment="").geturl())
        return _usable(fetch_document(place), "the key set")
    except ValueError as fault:
        raise KeyProblem(str(fault).replace("issuer", "--jwks", 1)) from None
    except FetchFailed as failure:
        raise KeyProblem(f"the key set could not be fetched: {failure}", unreachable=True) from None


def file_keys(path: str) -> FoundKeys:
    """Read a public key or a certificate (PEM), or a secret: the file's octets without the last line break.

    Raises KeyProblem.
    """
    content = _read(path, "--key")
    if content.lstrip().startswith(b"-----BEGIN "):
        named = _pem_key(content)
        return FoundKeys(keys=named)
    if content.lstrip().startswith(b"{"):
        raise KeyProblem("--key names a PEM file or a secret's; a JWK set is named by --jwks")
    secret = _secret(re.sub(rb"\r?\n\Z", b"", content))
    if not secret:
        raise KeyProblem("the file that --key names is empty")
    named = secret_key(secret)
    is_short = len(secret) < algorithms.MINIMUM_SECRET_OCTETS
    return FoundKeys(keys=named, secret_is_short=is_short)


def _read(path: str, option: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError):
        # The name is not repeated: a secret that was typed in its place would be.
        raise KeyProblem(
            f"{option} names a file that cannot be read; a key or a secret itself is never given"
        ) from None
    if len(content) > _LONGEST_FILE:
        raise KeyProblem(f"the file that {option} names is longer than 256 KiB")
    return content


def _usable(document: bytes, name: str) -> FoundKeys:
    try:
        members = json.loads(document)
        if isinstance(members, dict) and "kty" in members:
            members = {"keys": [members]}
        keys = parse_jwks(json.dumps(members).encode())
    except (ValueError, RecursionError):
        raise KeyProblem(f"{name} is not a JWK set") from None
    if not keys.keys:
        raise KeyProblem(f"{name} holds no key that can be used here: {'; '.join(keys.skipped) or 'it is empty'}")
    return FoundKeys(keys=keys)


def _pem_key(content: bytes) -> NamedKey:
    if b"PRIVATE KEY-----" in content:
        raise KeyProblem("the file that --key names holds a private key: give the public half alone")
    try:
        is_certificate = b"BEGIN CERTIFICATE" in content
        material = load_pem_x509_certificate(content).public_key() if is_certificate else load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyProblem("the file that --key names is no public key or certificate in PEM") from None
    names = sorted(algorithms.algorithms_of(material))
    if not names:
        raise KeyProblem("the key is not on P-256, not Ed25519 and not RSA of 2048 bits or more")
    public = cast("algorithms.PublicMaterial", material)
    return NamedKey([PublicKey(kid=None, alg=alg, verify=algorithms.bind_verify(public, alg)) for alg in names])


def _secret(octets: bytes) -> bytes:
    try:
        parse_symmetric_secret(octets.decode())
    except ValueError:
        return octets
    return base64url.decode(octets.removeprefix(b"slh_"))
