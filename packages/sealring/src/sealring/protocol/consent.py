"""Consent: what a person allowed a client (SECURITY E2)."""

import msgspec

from sealring.protocol.instant import Instant


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What was allowed: scopes, at which APIs, for which redirect URI.

    `metadata_digest`: SHA-256 of what the client showed of itself then; another face is another question.
    """

    sub: str
    client_id: str
    redirect_uri: str
    scope: frozenset[str]
    resources: frozenset[str]
    metadata_digest: bytes
    granted_at: Instant
