"""People: who a `sub` is, and the epoch under which whatever proves them must have been made (SECURITY A4)."""

from collections.abc import Mapping

import msgspec

from sealring.protocol.instant import Instant


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A registered user, or a subject that a trusted back-end vouches for (then without names and password).

    `sub` is random and opaque, never a name or an address. `administrator` is Sealring's own property, never a claim.
    """

    sub: str
    username: str | None = None
    email: str | None = None
    roles: tuple[str, ...] = ()
    claims: Mapping[str, object]
    administrator: bool = False
    demo: bool = False
    epoch: int
    disabled_at: Instant | None = None
    created_at: Instant


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What an access token tells of its user."""

    sub: str
    roles: tuple[str, ...]
    claims: Mapping[str, object]
    epoch: int


def subject_of(user: User) -> Subject:
    """Return what tokens tell of a user."""
    return Subject(sub=user.sub, roles=user.roles, claims=user.claims, epoch=user.epoch)


class UserCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """A user with the password hash that was read together with the epoch."""

    user: User
    password_hash: str | None


def next_epoch(epoch: int, *, now: Instant) -> int:
    """Raise an epoch: one more, or the time in seconds where that is larger. Compared only, never read as a time."""
    return max(epoch + 1, now // 1000)
