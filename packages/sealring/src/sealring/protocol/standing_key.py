"""Keys that never turn, because what they made is checked for as long as the store lasts (SECURITY F1)."""

from typing import Final, Literal

import msgspec

StandingPurpose = Literal["audit"]
"""What a standing key makes: the audit's chains and anchors."""

STANDING_PURPOSES: Final[tuple[StandingPurpose, ...]] = ("audit",)


class StandingKey(msgspec.Struct, frozen=True, kw_only=True):
    """A standing key as the store has it, one of each purpose: sealed under the master key, never erased."""

    purpose: StandingPurpose
    sealed: bytes
