"""What a request needs before it is granted: a log-in, a consent, or nothing (OpenID Connect Core §3.1.2)."""

import hashlib
from typing import Literal

import msgspec

from sealring.protocol.authorization_request import AuthorizationRequest
from sealring.protocol.client import Client
from sealring.protocol.consent import Consent
from sealring.protocol.instant import Instant
from sealring.protocol.redirect_uri import is_loopback_address, is_private_use
from sealring.protocol.sso_session import SsoSession


class Grant(msgspec.Struct, frozen=True):
    """Nothing more is needed: issue the code."""


class LogInFirst(msgspec.Struct, frozen=True):
    """Somebody must sign in, again or at all."""


class AskConsent(msgspec.Struct, frozen=True):
    """The person must be asked."""


class CannotAsk(msgspec.Struct, frozen=True, kw_only=True):
    """Something is needed, and the client forbade to ask for it (`prompt=none`)."""

    code: Literal["login_required", "consent_required"]


AuthorizationOutcome = Grant | LogInFirst | AskConsent | CannotAsk


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What the browser has proven. `session`: None where nobody is signed in. `known_as`: its person to this client.

    `hinted`: whom the client's `id_token_hint` names. `began_at`: when this request first reached us, where the person
    has been sent to sign in since. `allowed`: the person has just said yes.
    """

    session: SsoSession | None
    known_as: str | None = None
    hinted: str | None = None
    consent: Consent | None = None
    began_at: Instant | None = None
    allowed: bool = False


def decide_authorization(
    request: AuthorizationRequest, client: Client, proof: Proof, *, now: Instant
) -> AuthorizationOutcome:
    """Say what a request needs next. Pure; a log-in that was made for this very request satisfies `prompt=login`."""
    if proof.session is None or _needs_log_in(request, client, proof, session=proof.session, now=now):
        if "none" not in request.prompt:
            return LogInFirst()
        return CannotAsk(code="login_required")
    if _needs_consent(request, client, proof):
        return CannotAsk(code="consent_required") if "none" in request.prompt else AskConsent()
    return Grant()


def _needs_log_in(
    request: AuthorizationRequest, client: Client, proof: Proof, *, session: SsoSession, now: Instant
) -> bool:
    wanted = proof.hinted or request.claims.sub
    if wanted is not None and wanted != proof.known_as:
        return True
    fresh = proof.began_at is not None and session.auth_time >= proof.began_at
    if fresh:
        return False
    if not request.prompt.isdisjoint({"login", "select_account"}):
        return True
    max_age = request.max_age
    if max_age is None and client.code_flow is not None:
        max_age = client.code_flow.default_max_age
    # Counted in the whole seconds in which the client will read auth_time.
    return max_age is not None and now // 1000 - session.auth_time // 1000 > max_age


def _needs_consent(request: AuthorizationRequest, client: Client, proof: Proof) -> bool:
    if proof.allowed:
        return False
    if client.first_party or client.code_flow is None or client.code_flow.consent == "skip":
        return False
    return "consent" in request.prompt or not covers(proof.consent, request, client)


def covers(consent: Consent | None, request: AuthorizationRequest, client: Client) -> bool:
    """Say whether what a person allowed before is as much as is asked now, by a client that looks the same."""
    return (
        consent is not None
        and request.scope <= consent.scope
        and request.resources <= consent.resources
        and consent.metadata_digest == metadata_digest(client)
    )


def may_be_remembered(client: Client, *, redirect_uri: str) -> bool:
    """Say whether a consent may be kept (SECURITY E2).

    Any program on a person's machine can pass for a public client whose answers go to a loopback port or a scheme of
    its own: there each request is asked about.
    """
    anybody = is_loopback_address(redirect_uri) or is_private_use(redirect_uri)
    return not (client.type == "public" and anybody)


def metadata_digest(client: Client) -> bytes:
    """Return the SHA-256 of what people are shown of a client."""
    shown = {"name": client.name, "type": client.type, "pages": client.pages}
    return hashlib.sha256(msgspec.json.encode(shown, order="sorted")).digest()
