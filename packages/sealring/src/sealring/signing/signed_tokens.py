"""The bounded memory of tokens that this node has signed: what it signed itself it need not verify."""

from hashlib import sha256
from typing import Final

MAX_TOKENS: Final = 65_536


class SignedTokens:
    """Digests of whole tokens, signature included, so that no other token passes for one of them.

    Two generations bound it without order: when the young one is full it becomes the old one, which is forgotten.
    """

    def __init__(self) -> None:
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()

    def note(self, token: str) -> None:
        """Remember a token that was signed just now."""
        if len(self._young) >= MAX_TOKENS // 2:
            self._young, self._old = set(), self._young
        self._young.add(_digest(token))

    def __contains__(self, token: str) -> bool:
        digest = _digest(token)
        return digest in self._young or digest in self._old

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


def _digest(token: str) -> bytes:
    # What is asked about comes from outside, and may hold anything that UTF-8 spells in its own way.
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
