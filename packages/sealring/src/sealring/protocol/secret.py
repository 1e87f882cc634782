"""A wrapper that keeps passwords, tokens and client secrets out of every repr, log and message."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Final

Randomness = Callable[[int], bytes]
"""Give that many random octets; always an argument, so that a test can hold the dice."""

_SECRET_OCTETS: Final = 32


class Secret:
    """Hold a text that must not be shown; `reveal()` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself: for the one place that needs it, never for a message."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))


def make_secret(prefix: str = "", *, randomness: Randomness) -> Secret:
    """Throw the dice for a secret of 256 bits, base64url behind a prefix by which scanners of secrets know its kind."""
    return Secret(prefix + urlsafe_b64encode(randomness(_SECRET_OCTETS)).rstrip(b"=").decode())
