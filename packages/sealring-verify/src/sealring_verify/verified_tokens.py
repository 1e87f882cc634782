"""The bounded memory of tokens that were verified, by digest: a hit saves the signature check, never a live one."""

from sealring_verify.claims import AccessToken
from sealring_verify.jose.jwks import KeySet

MAX_TOKENS = 10_000


class VerifiedTokens:
    """Tokens with the key set that they were verified under; under any other set they count as unknown.

    Two generations bound it without a lock: when the young one is full it becomes the old one, whose unused tokens are
    forgotten. Threads that race lose an entry at worst.
    """

    def __init__(self) -> None:
        self._young: dict[bytes, tuple[AccessToken, KeySet]] = {}
        self._old: dict[bytes, tuple[AccessToken, KeySet]] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def recall(self, digest: bytes, *, keys: KeySet) -> AccessToken | None:
        """Give the token of that digest, if it was verified under these very keys. Its time is for the caller."""
        found = self._young.get(digest)
        if found is None:
            found = self._old.get(digest)
            if found is None:
                return None
            self.note(digest, found[0], keys=found[1])
        # A key that was withdrawn makes another set, so its tokens are judged anew.
        return found[0] if found[1] is keys else None

    def note(self, digest: bytes, access_token: AccessToken, *, keys: KeySet) -> None:
        """Remember a verified token."""
        if len(self._young) >= MAX_TOKENS // 2:
            self._young, self._old = {}, self._young
        self._young[digest] = (access_token, keys)
