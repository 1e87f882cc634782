"""Common passwords: the shipped list of what everybody guesses first (NIST SP 800-63B-4 §3.1.1.2).

The list holds passwords of eight characters or more, since no policy admits shorter ones; NOTICE beside it says where
it comes from. In memory it is one array of sorted 64-bit digests, a fifteenth of what a set of strings takes.
"""

import hashlib
import lzma
import re
import unicodedata
from array import array
from bisect import bisect_left
from functools import cache
from pathlib import Path
from typing import Final

_SEPARATORS: Final = re.compile(r"[\s._-]+")


def is_common_password(password: str) -> bool:
    """Say whether the whole password is a common one: case, width and the separators between words do not count.

    The first call reads the list (about 20 ms), later ones take microseconds. No part of the password is looked up,
    only all of it: that a common word occurs in a passphrase says nothing against the passphrase.
    """
    folded = unicodedata.normalize("NFKC", password).casefold()
    return _is_listed(folded) or _is_listed(_SEPARATORS.sub("", folded))


def _is_listed(folded: str) -> bool:
    digests = _listed_digests()
    digest = _digest(folded.encode(errors="surrogatepass"))
    position = bisect_left(digests, digest)
    return position < len(digests) and digests[position] == digest


@cache
def _listed_digests() -> "array[int]":
    folder = Path(__file__).parent
    lines = lzma.decompress((folder / "common_passwords.txt.xz").read_bytes()).split(b"\n")
    lines += (folder / "common_phrases.txt").read_bytes().split(b"\n")
    return array("Q", sorted(_digest(line) for line in lines if line))


def _digest(folded: bytes) -> int:
    return int.from_bytes(hashlib.sha256(folded).digest()[:8], "big")
