"""Keys that never turn, because what they made is asked for as long as the store lasts (SECURITY F1)."""

from typing import Final, Literal

import msgspec

StandingPurpose = Literal["audit", "pairwise"]
"""What a standing key makes: the audit's chains and anchors, the subjects that single sectors know people by."""

STANDING_PURPOSES: Final[tuple[StandingPurpose, ...]] = ("audit", "pairwise")


class StandingKey(msgspec.Struct, frozen=True, kw_only=True):
    """A standing key as the store has it, one of each purpose: sealed under the master key, never erased."""

    purpose: StandingPurpose
    sealed: bytes
