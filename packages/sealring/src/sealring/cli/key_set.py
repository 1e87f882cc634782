"""JWK sets with somebody's public keys, read from a file or from standard input."""

import sys
from pathlib import Path
from typing import Final

from sealring.cli.command import CommandProblem

_LONGEST_JWKS: Final = 64 * 1024  # characters; what is longer is refused by whoever reads it


def read_key_set(file: str | None, *, whose: str) -> str | None:
    """Read a JWK set; raises CommandProblem. `file`: `-` for standard input, None for none. `whose` the keys are."""
    if file is None:
        return None
    try:
        return sys.stdin.read(_LONGEST_JWKS) if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise CommandProblem(f"{file} cannot be read: it is a JWK set with the {whose}'s public keys.") from None
