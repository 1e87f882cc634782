"""What a presented refresh token is worth (RFC 9700 §4.14.2, SECURITY A3–A6): one row per session is the whole law."""

import msgspec

from sealring.protocol.instant import Instant, Seconds, ServiceInstant

MAXIMUM_REPEATS = 10
MAXIMUM_BEHIND = 4


class RefreshFamily(msgspec.Struct, frozen=True, kw_only=True):
    """The row of a session as the store has it, with what its user and client are now.

    `rotated`: service instants at which the generations current-1 … current-4 were rotated, newest first.
    `user_epoch`, `client_epoch`: today's; None where the user or client is gone or disabled. `scope`, `resources`:
    the grant. `network`, `user_agent`: of the last rotation. `shared_generation`: of the last repeat from elsewhere.
    """

    key: bytes
    sid: str
    sub: str
    client_id: str
    generation: int
    mac_key_id: int
    scope: frozenset[str]
    resource: str
    resources: frozenset[str]
    created_at: Instant
    idle_expires_at: Instant
    absolute_expires_at: Instant
    rotated: tuple[ServiceInstant, ServiceInstant, ServiceInstant, ServiceInstant]
    repeats: int
    shared_generation: int | None
    binding_digest: bytes | None
    network: str | None
    user_agent: str | None
    subject_epoch: int
    granted_client_epoch: int
    user_epoch: int | None
    client_epoch: int | None
    ended_at: Instant | None
    ended_reason: str | None


class PresentedRefreshToken(msgspec.Struct, frozen=True, kw_only=True):
    """A refresh token whose MAC held, with everything about the request that the decision weighs.

    `binding_digest`: SHA-256 of the browser binding, or None. `scope`, `resource`: None where the client named none.
    """

    key: bytes
    generation: int
    client_id: str
    binding_digest: bytes | None = None
    scope: frozenset[str] | None = None
    resource: str | None = None
    network: str | None = None
    user_agent: str | None = None


class RefreshPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The client's registered terms: `grace_window`, for how long a repeat is taken for a lost answer."""

    grace_window: Seconds


class Rotate(msgspec.Struct, frozen=True):
    """The current token: make the successor."""


class Repeat(msgspec.Struct, frozen=True):
    """The holder lost an answer or raced itself: give the current token again.

    `elsewhere`: from another network than the last rotation. `shared`: for the second generation, so two holders.
    """

    elsewhere: bool
    shared: bool


class Ahead(msgspec.Struct, frozen=True):
    """Valid, but newer than the row: the store was rolled back. End the family."""


class Reused(msgspec.Struct, frozen=True):
    """Used before, and not a repeat in good faith. End the family."""


class Ended(msgspec.Struct, frozen=True):
    """The session, its user's epoch or its client's epoch has ended."""


class Expired(msgspec.Struct, frozen=True):
    """Idle or absolute lifetime is over."""


class WrongClient(msgspec.Struct, frozen=True):
    """Presented by another client than it was issued to."""


class WrongBinding(msgspec.Struct, frozen=True):
    """Presented by another browser than it was issued to."""


class ScopeExceeded(msgspec.Struct, frozen=True):
    """More scope, or another resource, than was granted."""


RefreshOutcome = Rotate | Repeat | Ahead | Reused | Ended | Expired | WrongClient | WrongBinding | ScopeExceeded


def decide_refresh(
    family: RefreshFamily,
    presented: PresentedRefreshToken,
    *,
    now: Instant,
    service_now: ServiceInstant,
    policy: RefreshPolicy,
) -> RefreshOutcome:
    """Say what a presented refresh token is worth. `presented`: its MAC has been checked, the key finds `family`.

    Reuse is judged before expiry and scope, so that a thief who also asks for too much still ends the family.
    Pure; returns one of nine outcomes, never raises.
    """
    if presented.client_id != family.client_id:
        return WrongClient()
    if presented.binding_digest != family.binding_digest:
        return WrongBinding()
    if not _stands(family):
        return Ended()
    if presented.generation > family.generation:
        return Ahead()
    is_current = presented.generation == family.generation
    if not is_current and not _is_repeat(family, presented, service_now=service_now, policy=policy):
        return Reused()
    if now >= family.idle_expires_at or now >= family.absolute_expires_at:
        return Expired()
    if _exceeds_grant(family, presented):
        return ScopeExceeded()
    return Rotate() if is_current else _repeat(family, presented)


def is_current(family: RefreshFamily, *, generation: int, client_id: str, now: Instant) -> bool:
    """Say whether a token of this generation is the one that its client would present next, and the session lives.

    A question, not a use: an older token is not current and ends nothing. `generation`: of a token whose MAC held.
    """
    return (
        client_id == family.client_id
        and generation == family.generation
        and _stands(family)
        and now < family.idle_expires_at
        and now < family.absolute_expires_at
    )


def _stands(family: RefreshFamily) -> bool:
    return (
        family.ended_at is None
        and family.user_epoch == family.subject_epoch
        and family.client_epoch == family.granted_client_epoch
    )


def _is_repeat(
    family: RefreshFamily, presented: PresentedRefreshToken, *, service_now: ServiceInstant, policy: RefreshPolicy
) -> bool:
    behind = family.generation - presented.generation
    if behind > MAXIMUM_BEHIND:
        return False
    # Service time stands still in an outage and never runs back; max() covers a reading older than the row.
    elapsed = max(0, service_now - family.rotated[behind - 1])
    within_window = policy.grace_window > 0 and elapsed <= policy.grace_window * 1000
    if family.binding_digest is not None:
        # One cookie jar: its tabs may lag up to four rotations, and a laptop may sleep over the last answer.
        return behind == 1 or within_window
    elsewhere = presented.network != family.network and presented.user_agent != family.user_agent
    return behind == 1 and within_window and family.repeats < MAXIMUM_REPEATS and not elsewhere


def _exceeds_grant(family: RefreshFamily, presented: PresentedRefreshToken) -> bool:
    scope_exceeds = presented.scope is not None and not presented.scope <= family.scope
    return scope_exceeds or (presented.resource is not None and presented.resource not in family.resources)


def _repeat(family: RefreshFamily, presented: PresentedRefreshToken) -> Repeat:
    elsewhere = presented.network != family.network
    shared = elsewhere and family.shared_generation not in {None, family.generation}
    return Repeat(elsewhere=elsewhere, shared=shared)
