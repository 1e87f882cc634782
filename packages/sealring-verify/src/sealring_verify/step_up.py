"""Step-up authentication (RFC 9470), pure: whether a person signed in recently and strongly enough for an operation."""

import re
from collections.abc import Collection, Sequence

import msgspec

from sealring_verify.claims import AccessToken
from sealring_verify.errors import InsufficientAuthentication

# OpenID Connect Core §3.1.2.1 parts the values of acr_values by spaces; RFC 9470 §3 puts them between quotes.
_ACR = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


class StepUp(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation demands of the sign-in behind a token.

    `acr_values`: one of these must be its `acr`, the preferred one first; empty where any will do. `max_age`: at most
    so many seconds ago; None where any time will do. ValueError, in a sentence, for what makes no sense.
    """

    acr_values: tuple[str, ...] = ()
    max_age: int | None = None

    def __post_init__(self) -> None:
        if not all(_ACR.fullmatch(value) for value in self.acr_values):
            raise ValueError(f"these are not all values of acr, without space, quote, backslash: {self.acr_values!r}")
        if self.max_age is not None and (type(self.max_age) is not int or self.max_age < 0):
            raise ValueError(f"max_age must be whole seconds, 0 or more, not {self.max_age!r}")


def parse_step_up(acr: str | Sequence[str], max_age: int | None) -> StepUp | None:
    """Read what an API's author demands; None where that is nothing. ValueError as `StepUp` has it."""
    step_up = StepUp(acr_values=(acr,) if isinstance(acr, str) else tuple(acr), max_age=max_age)
    return None if step_up == StepUp() else step_up


def check_step_up(
    access_token: AccessToken, step_up: StepUp, *, scopes: Collection[str], leeway: int, now: float
) -> None:
    """Refuse a token whose person has to authenticate again. Raises InsufficientAuthentication.

    A token that does not say how (`acr`) or when (`auth_time`) is refused where that is demanded. `leeway` is in
    seconds, `now` in seconds since 1970. Of `scopes`, those that the token lacks are told in the same breath, so that
    the client can ask for both at once.
    """
    acr_fails = bool(step_up.acr_values) and access_token.acr not in step_up.acr_values
    if acr_fails or not _is_recent(access_token, step_up.max_age, leeway=leeway, now=now):
        raise InsufficientAuthentication(
            "acr" if acr_fails else "auth_time",
            step_up.acr_values,
            step_up.max_age,
            frozenset(scopes) - access_token.scope,
        )


def _is_recent(access_token: AccessToken, max_age: int | None, *, leeway: int, now: float) -> bool:
    if max_age is None:
        return True
    return access_token.auth_time is not None and now - access_token.auth_time <= max_age + leeway
