"""JWK sets (RFC 7517 §5): an issuer's public keys."""

from collections import Counter
from collections.abc import Iterable

from sealring_verify.jose.header import Header
from sealring_verify.jose.json_object import parse_json_object
from sealring_verify.jose.jwk import PublicKey, parse_jwk


class KeySet:
    """An issuer's usable public keys. `skipped` says in words which keys of the document are not among them.

    `trusted_headers` belongs to `jws`: headers, by their encoded form, and the key under which their signature held.
    `without_ids`: the keys were given without ids, so an id in a token says nothing; the only key of its algorithm is
    meant.
    """

    __slots__ = ("_alone", "_by_kid", "_without_ids", "keys", "skipped", "trusted_headers")

    def __init__(self, keys: Iterable[PublicKey], skipped: Iterable[str] = (), *, without_ids: bool = False) -> None:
        self.keys = tuple(keys)
        self.skipped = tuple(skipped)
        self._by_kid = {key.kid: key for key in self.keys if key.kid is not None}
        self._without_ids = without_ids
        counts = Counter(key.alg for key in self.keys)
        # A secret with an id is meant by it or not at all: what it signs is minted by whoever holds it.
        self._alone = {
            key.alg: key for key in self.keys if counts[key.alg] == 1 and (key.alg != "HS256" or without_ids)
        }
        self.trusted_headers: dict[bytes, tuple[Header, PublicKey]] = {}

    def find(self, kid: str | None, alg: str) -> PublicKey | None:
        """Find the key with that id; for a token without an id, the only key of its algorithm, if there is one."""
        if kid is not None and not self._without_ids:
            return self._by_kid.get(kid)
        return self._alone.get(alg)


def parse_jwks(document: bytes) -> KeySet:
    """Read a JWK set. ValueError where the document is none at all.

    A key that cannot be used is skipped, not the set (RFC 7517 §5); keys that share a `kid` are all skipped, since a
    token could mean either.
    """
    entries = parse_json_object(document).get("keys")
    if not isinstance(entries, list):
        raise ValueError("a JWK set needs a list named keys")  # noqa: TRY004 - one outcome for all bad documents
    keys: list[PublicKey] = []
    skipped: list[str] = []
    for position, entry in enumerate(entries):
        try:
            keys.append(parse_jwk(entry if isinstance(entry, dict) else {}))
        except ValueError as reason:
            skipped.append(f"key {position}: {reason}")
    shared = {kid for kid, count in Counter(key.kid for key in keys).items() if kid is not None and count > 1}
    skipped += [f"several keys share the kid {kid!r}" for kid in sorted(shared)]
    return KeySet([key for key in keys if key.kid not in shared], skipped)
