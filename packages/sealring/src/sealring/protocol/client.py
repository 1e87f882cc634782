"""Clients: programs that sign people in, and what each of them may ask for (RFC 6749 §2)."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from sealring.protocol.instant import Instant, Seconds

ClientType = Literal["confidential", "public"]
TokenDelivery = Literal["body", "cookie"]
PERMISSIONS: Mapping[str, str] = {
    "sessions:create": "open a session for a person that the client has checked itself",
    "sessions:revoke": "end everything that a subject holds",
}


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A registered client.

    `secret_digests`: SHA-256 of its `slc_` secrets, at most two. `allowed`: API identifier → scopes it may ask for.
    `refresh`: whether its sessions get refresh tokens. Lifetimes and `grace_window` (0–60) are seconds.
    """

    client_id: str
    name: str
    type: ClientType
    secret_digests: tuple[bytes, ...] = ()
    first_party: bool = False
    permissions: frozenset[str] = frozenset()
    allowed: Mapping[str, frozenset[str]]
    token_delivery: TokenDelivery = "body"
    origins: frozenset[str] = frozenset()
    refresh: bool = True
    idle_lifetime: Seconds = Seconds(30 * 24 * 3600)
    absolute_lifetime: Seconds = Seconds(90 * 24 * 3600)
    grace_window: Seconds = Seconds(10)
    epoch: int
    disabled_at: Instant | None = None
    created_at: Instant
