"""Keys that are given at construction, in place of fetched ones: a JWK set, public keys in PEM, or a file of either."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sealring_verify.jose.jwk import PublicKey, join_keys, parse_pem
from sealring_verify.jose.jwks import KeySet, parse_jwks

KeySource = Mapping[str, object] | str | bytes | os.PathLike[str]

_LONGEST: Final = 256 * 1024
# While one key follows another; each costs a check.
_MOST_OF_ONE_ALGORITHM: Final = 2


def read_static_keys(source: KeySource, *, algorithms: frozenset[str]) -> KeySet:
    """Read keys as they were given: a path is a file's, a text or octets are its content.

    Keys in PEM have no ids, so whatever id a token names, they are tried. An RSA key in PEM is for RS256, unless PS256
    is in `algorithms` and RS256 is not. ValueError, in a sentence, where nothing can be used.
    """
    document = key_document(source)
    if b"-----BEGIN" in document:
        return _read_pem(document, algorithms)
    try:
        keys = parse_jwks(document)
    except ValueError as error:
        raise ValueError(f"jwks is not a JWK set: {error}") from None
    if not keys.keys:
        raise ValueError(f"jwks holds no key that can be used here: {'; '.join(keys.skipped) or 'it is empty'}")
    return keys


def key_document(source: KeySource) -> bytes:
    """Give the octets of a key document, however it was handed over. ValueError where a file cannot be read."""
    if isinstance(source, Mapping):
        document = json.dumps(source).encode()
    elif isinstance(source, str):
        document = source.encode()
    elif isinstance(source, bytes):
        document = source
    else:
        document = _read_file(source)
    if len(document) > _LONGEST:
        raise ValueError(f"jwks is longer than {_LONGEST // 1024} KiB")
    return document


def _read_file(path: os.PathLike[str]) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(_LONGEST + 1)
    except TypeError:
        raise ValueError("jwks must be a JWK set, public keys in PEM, or the Path of a file of either") from None
    except OSError as fault:
        raise ValueError(f"{path} cannot be read: {fault.strerror}") from None


def _read_pem(document: bytes, algorithms: frozenset[str]) -> KeySet:
    alg = "PS256" if "PS256" in algorithms and "RS256" not in algorithms else None
    try:
        keys = parse_pem(document, alg=alg)
    except ValueError as error:
        raise ValueError(f"jwks is no usable public key: {error}") from None
    by_algorithm: dict[str, list[PublicKey]] = {}
    for key in keys:
        by_algorithm.setdefault(key.alg, []).append(key)
    if any(len(of_one) > _MOST_OF_ONE_ALGORITHM for of_one in by_algorithm.values()):
        raise ValueError("jwks holds one key of an algorithm or, while they turn, two: more need ids, so a JWK set")
    return KeySet([join_keys(of_one) for of_one in by_algorithm.values()], without_ids=True)
