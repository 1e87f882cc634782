"""Initial access tokens: what lets a developer register clients without being an operator (RFC 7591 §1.2)."""

from typing import Final

import msgspec

from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant

_MOST_USES: Final = 1000
_LONGEST_DAYS: Final = 366
_LONGEST_NOTE: Final = 128  # characters


class InitialAccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token as the store has it. `digest`: SHA-256 of its text; `id`: by which it is listed, and which opens nothing.

    `uses_left`: how many clients it still registers. `note`: what the operator wrote beside it.
    """

    id: str
    digest: bytes
    note: str
    uses_left: int
    created_at: Instant
    expires_at: Instant


class MakeInitialAccessToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to be made. `uses`: how many clients it registers, `days`: how long it is good."""

    note: str = ""
    uses: int = 1
    days: int = 7


def initial_access_token_problem(request: MakeInitialAccessToken) -> OAuthError | None:
    """Say what is wrong with a token to be made."""
    if not 1 <= request.uses <= _MOST_USES:
        return refuse("invalid_registration", description=f"A token registers 1 to {_MOST_USES} clients.")
    if not 1 <= request.days <= _LONGEST_DAYS:
        return refuse("invalid_registration", description=f"A token is good for 1 to {_LONGEST_DAYS} days.")
    if len(request.note) > _LONGEST_NOTE or not request.note.isprintable():
        return refuse("invalid_registration", description=f"A note has {_LONGEST_NOTE} printable characters at most.")
    return None
