"""The bounded memory of tokens that were verified, by digest: a hit saves the signature check, never a live one."""

import msgspec

from sealring_verify.claims import AccessToken
from sealring_verify.jose.jwks import KeySet
from sealring_verify.revocation_check import TokenIds

MAX_TOKENS = 10_000


class VerifiedToken(msgspec.Struct, gc=False):
    """A token that was verified under `keys`, the ids by which the feed could name it, and how far it was looked up.

    `looked_up`: the version of the feed's knowledge under which it was last found not ended. `keys`: None for an opaque
    token, for which its issuer answered.
    """

    access_token: AccessToken
    ids: TokenIds | None
    keys: KeySet | None
    looked_up: int | None = None


class VerifiedTokens:
    """Tokens with the key set that they were verified under; under any other set they count as unknown.

    Two generations bound it without a lock: when the young one is full it becomes the old one, whose unused tokens are
    forgotten. Threads that race lose an entry at worst.
    """

    def __init__(self) -> None:
        self._young: dict[bytes, VerifiedToken] = {}
        self._old: dict[bytes, VerifiedToken] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def recall(self, digest: bytes, *, keys: KeySet) -> VerifiedToken | None:
        """Give the token of that digest, if it was verified under these very keys. Its time is for the caller."""
        found = self._young.get(digest)
        if found is None:
            found = self._old.get(digest)
            if found is None:
                return None
            self.note(digest, found)
        # A key that was withdrawn makes another set, so its tokens are judged anew.
        return found if found.keys is keys else None

    def note(self, digest: bytes, verified: VerifiedToken) -> None:
        """Remember a verified token."""
        if len(self._young) >= MAX_TOKENS // 2:
            self._young, self._old = {}, self._young
        self._young[digest] = verified
