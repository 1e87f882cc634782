"""What a service knows of its own token, as a state machine; pure. Instants are monotonic seconds."""

from typing import Final

import msgspec

from sealring_verify.client_credentials import GrantedToken
from sealring_verify.errors import TokenUnavailable

_DROP_SECONDS: Final = 5.0
"""An API that refuses every token makes no more than one fetch in so long."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


class HeldToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token at hand: from `renew_at` on another is fetched, from `over_at` on this one is not used."""

    access_token: str
    renew_at: float
    over_at: float

    def __repr__(self) -> str:
        return f"HeldToken(renew_at={self.renew_at}, over_at={self.over_at})"


class TokenState(msgspec.Struct, frozen=True, kw_only=True):
    """The token, if any, and why the last fetch gave none. `failures`: in a row; before `not_before` none is tried."""

    held: HeldToken | None = None
    refusal: TokenUnavailable | None = None
    failures: int = 0
    not_before: float | None = None
    dropped_at: float | None = None

    def usable(self, *, now: float) -> HeldToken | None:
        """Give the token, as long as it lives."""
        return self.held if self.held is not None and now < self.held.over_at else None

    def fetch_is_due(self, *, now: float) -> bool:
        """Say whether a token should be fetched now: none lives, or its life is nearly over."""
        if self.not_before is not None and now < self.not_before:
            return False
        return self.held is None or now >= self.held.renew_at

    def fetched(self, granted: GrantedToken, *, asked_at: float) -> "TokenState":
        """Take a new token. It lives from when it was asked for, since it may have been made no later.

        It is renewed at four fifths of its life or 60 s before the end, whichever is later, and used until a twentieth
        of its life or 5 s before the end: a token that expires on its way is refused.
        """
        life = float(granted.expires_in)
        held = HeldToken(
            access_token=granted.access_token,
            renew_at=asked_at + max(0.8 * life, life - 60),
            over_at=asked_at + max(0.95 * life, life - 5),
        )
        return TokenState(held=held, dropped_at=self.dropped_at)

    def failed(self, refusal: TokenUnavailable, *, now: float) -> "TokenState":
        """Note that a fetch gave no token; the next waits 1 s, then twice as long each time, at most 30 s."""
        pause = min(_FIRST_PAUSE * 2.0 ** min(self.failures, 10), _LONGEST_PAUSE)
        return msgspec.structs.replace(self, refusal=refusal, failures=self.failures + 1, not_before=now + pause)

    def dropped(self, access_token: str, *, now: float) -> "TokenState":
        """Drop the token that an API has refused; unchanged where another took its place, or one was dropped lately."""
        lately = self.dropped_at is not None and now - self.dropped_at < _DROP_SECONDS
        if self.held is None or self.held.access_token != access_token or lately:
            return self
        return msgspec.structs.replace(self, held=None, dropped_at=now)
