"""Ordinary acts, which are no rows of the audit: what the full stream tells of them (SECURITY F2)."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sealring.protocol.instant import Instant


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """One ordinary act. Members as an audit event has them; never a token, a secret or a whole address.

    `outcome`: done | refused, for introspection active | inactive. `api`: whose token it was about.
    """

    event: str
    at: Instant
    outcome: str = "done"
    code: str | None = None
    sub: str | None = None
    client_id: str | None = None
    sid: str | None = None
    api: str | None = None
    network: str | None = None
    country: str | None = None
    error_id: str | None = None


ACTIVITIES: Mapping[str, str] = MappingProxyType(
    {
        "refresh_rotated": "A refresh token was redeemed for its successor.",
        "refresh_refused": "A refresh was refused, whatever the reason; of these the audit has some, not all.",
        "access_token_issued": "An access token was given out.",
        "introspection_answered": "An API asked about a token, and was told whether it is active.",
    }
)
