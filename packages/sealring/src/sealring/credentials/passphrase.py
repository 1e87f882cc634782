"""Passphrases: generated passwords that a person can read out and type, for first sign-ins and resets."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

_LEAST_ENTROPY: Final = 64  # bits


def generate_passphrase(*, randomness: Callable[[int], bytes], words: int = 6) -> str:
    """Draw `words` words (12.9 bits each, 77.5 for six) from the shipped list, in lower case and joined by "-".

    Five words or more: fewer would hold under 64 bits, and are a ValueError.
    """
    listed = passphrase_words()
    if words * math.log2(len(listed)) < _LEAST_ENTROPY:
        raise ValueError(f"{words} words hold less than {_LEAST_ENTROPY} bits")
    return "-".join(listed[_draw_below(len(listed), randomness)] for _ in range(words))


@cache
def passphrase_words() -> tuple[str, ...]:
    """Give the shipped word list: 7 772 English words of three to nine lower-case letters (NOTICE says whose)."""
    return tuple((Path(__file__).parent / "passphrase_words.txt").read_text("ascii").split())


def _draw_below(bound: int, randomness: Callable[[int], bytes]) -> int:
    # A plain remainder would favour the first words; numbers beyond the last whole multiple are drawn again.
    usable = 0x10000 - 0x10000 % bound
    while True:
        number = int.from_bytes(randomness(2), "big")
        if number < usable:
            return number % bound
