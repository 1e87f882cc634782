"""What a request needs before it is granted: a log-in, a consent, or nothing (OpenID Connect Core §3.1.2)."""

import hashlib
from typing import Final, Literal

import msgspec

from sealring.protocol.api import SESSIONS_SCOPE
from sealring.protocol.authorization_request import AuthorizationRequest
from sealring.protocol.client import Client
from sealring.protocol.consent import Consent
from sealring.protocol.instant import Instant
from sealring.protocol.redirect_uri import is_on_this_machine, is_private_use
from sealring.protocol.sso_session import SsoSession

SENSITIVE_SCOPES: Final = frozenset({SESSIONS_SCOPE})
"""Scopes by which a person's own account is changed: whoever asks for one must have signed in of late."""

SENSITIVE_SECONDS: Final = 600


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing more is needed: issue the code. `scope`: never more than was asked for."""

    scope: frozenset[str]


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
    has been sent to sign in since. `allowed`: the person has just said yes. `chosen`: they chose this session.
    """

    session: SsoSession | None
    known_as: str | None = None
    hinted: str | None = None
    consent: Consent | None = None
    began_at: Instant | None = None
    allowed: bool = False
    chosen: bool = False


def decide_authorization(
    request: AuthorizationRequest, client: Client, proof: Proof, *, now: Instant
) -> AuthorizationOutcome:
    """Say what a request needs next. Pure; a log-in that was made for this very request satisfies `prompt=login`.

    Where it was another person's than the client named, the client is told: to ask again would go round for ever. What
    is lacking for `offline_access` alone does not refuse a silent request, which then goes without it (Core §11).
    """
    if proof.session is None or _needs_log_in(request, client, proof, session=proof.session, now=now):
        if "none" in request.prompt or _is_fresh(proof):
            return CannotAsk(code="login_required")
        return LogInFirst()
    if not _needs_consent(request.scope, request, client, proof):
        return Grant(scope=request.scope)
    if "none" not in request.prompt:
        return AskConsent()
    online = request.scope - {"offline_access"}
    if online and not _needs_consent(online, request, client, proof):
        return Grant(scope=online)
    return CannotAsk(code="consent_required")


def _needs_log_in(
    request: AuthorizationRequest, client: Client, proof: Proof, *, session: SsoSession, now: Instant
) -> bool:
    if not {proof.hinted, request.claims.sub} <= {None, proof.known_as}:
        return True
    if _is_fresh(proof):
        return False
    if "login" in request.prompt or ("select_account" in request.prompt and not proof.chosen):
        return True
    max_age = request.max_age
    if max_age is None and client.code_flow is not None:
        max_age = client.code_flow.default_max_age
    if request.scope & SENSITIVE_SCOPES:
        max_age = SENSITIVE_SECONDS if max_age is None else min(max_age, SENSITIVE_SECONDS)
    if max_age == 0:  # the same as prompt=login (Core §3.1.2.1)
        return True
    # Counted from the whole second as which the client will read auth_time.
    return max_age is not None and now - session.auth_time // 1000 * 1000 > max_age * 1000


def _is_fresh(proof: Proof) -> bool:
    """Say whether somebody signed in since the person was sent to do so for this very request."""
    return proof.session is not None and proof.began_at is not None and proof.session.auth_time >= proof.began_at


def _needs_consent(scope: frozenset[str], request: AuthorizationRequest, client: Client, proof: Proof) -> bool:
    if proof.allowed:
        return False
    if client.first_party or client.code_flow is None or client.code_flow.consent == "skip":
        return False
    return "consent" in request.prompt or not _covers(proof.consent, scope, request.resources, client=client)


def _covers(consent: Consent | None, scope: frozenset[str], resources: frozenset[str], *, client: Client) -> bool:
    """Say whether what a person allowed before is as much as is asked now, by a client that looks the same."""
    return (
        consent is not None
        and scope <= consent.scope
        and resources <= consent.resources
        and consent.metadata_digest == metadata_digest(client)
    )


def remember_consent(
    request: AuthorizationRequest, client: Client, before: Consent | None, *, sub: str, now: Instant
) -> Consent:
    """Write down what a person has just allowed, beside what was allowed before; without scopes it answers nothing.

    Any program on a person's machine can pass for a public client whose answers go to this machine or to a scheme of
    its own: there each request is asked about. A client that registered itself is asked about twice (SECURITY E2).
    """
    digest, address = metadata_digest(client), request.address.redirect_uri
    known = before if before is not None and before.metadata_digest == digest else None
    remembered = not _may_be_anybody(client, address) and not (client.self_registered and known is None)
    # Scopes of one API were not allowed for another: what was allowed for others stands apart, and goes.
    kept = known.scope if known is not None and known.resources == request.resources else frozenset[str]()
    return Consent(
        sub=sub,
        client_id=client.client_id,
        redirect_uri=address,
        scope=request.scope | kept if remembered else frozenset(),
        resources=request.resources,
        metadata_digest=digest,
        granted_at=now,
    )


def _may_be_anybody(client: Client, address: str) -> bool:
    return client.type == "public" and (is_on_this_machine(address) or is_private_use(address))


def extend_consent(consent: Consent, client: Client, *, scope: frozenset[str], resources: frozenset[str]) -> Consent:
    """Let a consent that was given once speak for what lives of it in the same browser.

    Of a client that registered itself the first consent is not remembered (SECURITY E2), so each request asks again. A
    request that may ask nothing is granted what its sessions there still have: `scope` and `resources` of those that
    live under the browser's present sign-in. When these end, nothing is left. What any program on the person's machine
    could pass for is asked about all the same.
    """
    is_remembered = bool(consent.scope) or not client.self_registered
    if is_remembered or _may_be_anybody(client, consent.redirect_uri):
        return consent
    return msgspec.structs.replace(consent, scope=scope, resources=resources)


def metadata_digest(client: Client) -> bytes:
    """Return the SHA-256 of what people are shown of a client."""
    shown = {"name": client.name, "type": client.type, "pages": client.pages}
    return hashlib.sha256(msgspec.json.encode(shown, order="sorted")).digest()
