"""What an API itself ends: tokens that were issued before a moment, of one subject or of all."""

import math
import threading
from typing import Final

from sealring_verify.claims import AccessToken
from sealring_verify.errors import InvalidToken

_MAX_SUBJECTS: Final = 100_000
# The year 5138: beyond it somebody counts milliseconds, and would refuse every token for good.
_LATEST: Final = 99_999_999_999


class Cutoffs:
    """The moments, by subject; bounded. Any number of threads share one.

    A token says in `iat` in which second it was issued, not when in it: one of the moment's own second is refused.
    """

    def __init__(self) -> None:
        self._of_all = -1
        self._by_subject: dict[str, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._by_subject)

    def refuse_before(self, instant: float, *, sub: str | None) -> None:
        """Refuse what was issued before `instant`, seconds since 1970, by the issuer's clock; None: of every subject.

        A moment only moves forward. ValueError for what is no such instant, and for an empty subject.
        """
        if not math.isfinite(instant) or not 0 <= instant <= _LATEST:
            raise ValueError(f"instant must be seconds since 1970: {instant!r}")
        if sub == "":
            raise ValueError("sub must not be empty: None stands for all subjects")
        second = math.floor(instant)
        with self._lock:
            if sub is None:
                self._of_all = max(self._of_all, second)
                return
            self._by_subject[sub] = max(second, self._by_subject.get(sub, -1))
            if len(self._by_subject) > _MAX_SUBJECTS:
                self._forget_the_older_half()

    def check(self, access_token: AccessToken) -> None:
        """Refuse a token that was issued before its subject's moment, or may have been. Raises InvalidToken."""
        if access_token.iat <= self._of_all or access_token.iat <= self._by_subject.get(access_token.sub, -1):
            raise InvalidToken("issued_before_cutoff", "iat")

    def _forget_the_older_half(self) -> None:
        # What is forgotten of some holds for all from now on: a bound may cost a sign-in, and never lets a token pass.
        ordered = sorted(self._by_subject.items(), key=lambda entry: entry[1])
        forgotten, kept = ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]
        self._of_all = max(self._of_all, forgotten[-1][1])
        self._by_subject = dict(kept)
