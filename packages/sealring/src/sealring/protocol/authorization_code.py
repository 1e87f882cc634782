"""Authorization codes: what they stand for, and what a presented one is worth (RFC 6749 §4.1, SECURITY E1)."""

import msgspec

from sealring.protocol.instant import Instant


class AuthorizationCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code as it is issued. `digest`: SHA-256 of it; `code_challenge`: S256, None where the client needs none.

    `resource`: the API that its first access token names. `requested_claims`: the `claims` parameter as JSON.
    """

    digest: bytes
    client_id: str
    redirect_uri: str
    code_challenge: str | None
    sub: str
    subject_epoch: int
    client_epoch: int
    sso_id: str
    scope: frozenset[str]
    resource: str
    nonce: str | None
    requested_claims: bytes | None
    auth_time: Instant
    amr: tuple[str, ...]
    acr: str | None
    created_at: Instant
    expires_at: Instant


class PresentedCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code as the store has it now. `sid`: of the session that it became, where it was `spent_at` an instant.

    `stands`: its browser session lives, its user and its client stand under the epochs of the code.
    """

    code: AuthorizationCode
    spent_at: Instant | None
    sid: str | None
    stands: bool
