"""Authorization codes: what they stand for, and what a presented one is worth (RFC 6749 §4.1, SECURITY E1)."""

import msgspec

from sealring.protocol.instant import Instant
from sealring.protocol.pkce import code_verifier_holds


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


class RedeemCode(msgspec.Struct, frozen=True):
    """The code is good: it becomes a session."""


class CodeReplayed(msgspec.Struct, frozen=True, kw_only=True):
    """Its own client presents it a second time: the session that it became ends (SECURITY E1)."""

    sid: str


class CodeRefused(msgspec.Struct, frozen=True, kw_only=True):
    """Worth nothing, and nothing else changes. `code`: for log and audit; clients are told one word for all."""

    code: str


CodeOutcome = RedeemCode | CodeReplayed | CodeRefused


def decide_code(
    presented: PresentedCode, *, client_id: str, redirect_uri: str | None, code_verifier: str | None, now: Instant
) -> CodeOutcome:
    """Say what a presented code is worth to an authenticated client (RFC 6749 §4.1.3, RFC 7636 §4.6).

    `redirect_uri`: as the request has it; it may be left out where a challenge binds the code (OAuth 2.1 §4.1.3).
    Whose code it is comes first: whoever cannot redeem a code cannot end what it became either.
    """
    code = presented.code
    if code.client_id != client_id:
        return CodeRefused(code="code_wrong_client")
    if redirect_uri != code.redirect_uri and not (redirect_uri is None and code.code_challenge is not None):
        return CodeRefused(code="code_wrong_redirect_uri")
    if not code_verifier_holds(code_verifier, code_challenge=code.code_challenge):
        return CodeRefused(code="code_wrong_verifier")
    if presented.spent_at is not None:
        return CodeReplayed(sid=presented.sid or "")
    if now >= code.expires_at:
        return CodeRefused(code="code_expired")
    return RedeemCode() if presented.stands else CodeRefused(code="code_ended")
