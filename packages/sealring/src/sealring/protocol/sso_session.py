"""SSO sessions: a browser in which a person is signed in, for many clients (SECURITY A4, E7)."""

from typing import Final

import msgspec

from sealring.protocol.instant import Instant, Seconds

PASSWORD_ACR: Final = "1"
"""What a log-in by password alone is worth (ISO/IEC 29115, level 1)."""


class SsoSession(msgspec.Struct, frozen=True, kw_only=True):
    """A browser session as the store has it. `id` never leaves the server; the cookie's SHA-256 finds it.

    `subject_epoch`: under which the person was proven at `auth_time`.
    """

    id: str
    sub: str
    subject_epoch: int
    auth_time: Instant
    amr: tuple[str, ...]
    acr: str | None = None
    created_at: Instant
    last_used_at: Instant
    idle_expires_at: Instant
    absolute_expires_at: Instant
    network: str | None = None
    user_agent: str | None = None


class SsoProof(msgspec.Struct, frozen=True, kw_only=True):
    """A person proven anew in a browser session: it goes on under another cookie (no session fixation).

    `digest`: SHA-256 of the new cookie.
    """

    digest: bytes
    subject_epoch: int
    auth_time: Instant
    amr: tuple[str, ...]
    acr: str | None
    idle_expires_at: Instant


class SsoPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long a browser stays signed in: without use, and at all."""

    idle: Seconds
    absolute: Seconds
