"""Clients register themselves and manage what they registered (RFC 7591, RFC 7592, SECURITY E3)."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Final

import msgspec

from sealring.ports import Clock, Limited, Outgoing, OutgoingFailed, Randomness, RegistrationLimit, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client, CodeFlow
from sealring.protocol.client_metadata import ClientMetadata, client_of_metadata
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.initial_access_token import InitialAccessToken
from sealring.protocol.instant import Instant
from sealring.protocol.opaque_id import make_opaque_id
from sealring.protocol.secret import Secret, make_secret
from sealring.services.client import begin_client_lines, make_client_secret
from sealring.services.key_admin import KeyDesk

_CLIENT_ID_OCTETS: Final = 16


class RegistrationDesk(msgspec.Struct, frozen=True, kw_only=True):
    """What registration works with, where it is on. `most_clients`: how many may have registered themselves in all.

    `needs_token`: whoever registers needs an initial access token. `require_pkce`: of confidential clients too; public
    ones always use it. `frontchannel_logout`: False where nobody is told so, and what clients say of it is not kept.
    """

    store: Store
    keys: KeyDesk
    outgoing: Outgoing
    limit: RegistrationLimit
    clock: Clock
    randomness: Randomness
    needs_token: bool
    frontchannel_logout: bool
    require_pkce: bool
    most_clients: int


class RegisteredClient(msgspec.Struct, frozen=True, kw_only=True):
    """A client as it stands registered. `client_secret`: only where it is new, since its digest alone is kept."""

    client: Client
    client_secret: Secret | None
    registration_access_token: Secret


async def register_client(
    metadata: ClientMetadata, token: str | None, caller: Caller, *, desk: RegistrationDesk
) -> RegisteredClient | OAuthError:
    """Register a client under an id of our own; it gets a secret where its method needs one, both stored as SHA-256.

    `token`: the initial access token that came along (RFC 7591 §3), not looked at where none is needed. Limit and
    token come first, and nothing is fetched for whoever is beyond them; a use is spent by the act that registers.
    """
    limited = desk.limit.take(caller.network)
    if isinstance(limited, Limited):
        return refuse("registration_limited", retry_after=limited.retry_after)
    now = desk.clock()
    let_in = await _find_initial_access_token(token, store=desk.store, now=now) if desk.needs_token else None
    if isinstance(let_in, OAuthError):
        return let_in
    client_id = make_opaque_id(_CLIENT_ID_OCTETS, randomness=desk.randomness)
    judged = await _judge(metadata, client_id, desk=desk, now=now)
    if isinstance(judged, OAuthError):
        return judged
    made = _equip(msgspec.structs.replace(judged, self_registered=True), desk.randomness)
    await begin_client_lines(made.client, desk.keys, now=now)
    details = None if let_in is None else {"initial_access_token": let_in.id}
    outcome = await desk.store.clients.register(
        made.client,
        initial_access_token=None if let_in is None else let_in.digest,
        most=desk.most_clients,
        now=now,
        events=[_event("client_registered", made.client, caller, now=now, details=details)],
    )
    match outcome:
        case "registered":
            return made
        case "full":
            return refuse("registration_full")
        case "token_spent":
            return refuse("initial_access_token_refused")
        case "taken":
            return refuse("already_registered")


async def read_registration(
    client_id: str, token: str | None, *, desk: RegistrationDesk
) -> RegisteredClient | OAuthError:
    """Say how a client stands registered, to whoever has its registration access token."""
    client = await _authenticate(client_id, token, store=desk.store)
    if isinstance(client, OAuthError):
        return client
    return RegisteredClient(client=client, client_secret=None, registration_access_token=Secret(token or ""))


async def replace_registration(
    client_id: str, token: str | None, metadata: ClientMetadata, caller: Caller, *, desk: RegistrationDesk
) -> RegisteredClient | OAuthError:
    """Replace what a client said of itself; the old registration access token is worth nothing from then on.

    What the operator gave it stays, but people are asked again: the client may lead them elsewhere now.
    """
    client = await _authenticate(client_id, token, store=desk.store)
    if isinstance(client, OAuthError):
        return client
    if client.first_party or client.permissions:
        return refuse("registration_managed_by_operator")
    now = desk.clock()
    judged = await _judge(metadata, client_id, desk=desk, now=now)
    if isinstance(judged, OAuthError):
        return judged
    if judged.type != client.type:
        sentence = "A client that keeps secrets does not become one that cannot, nor the other way: register anew."
        return refuse("invalid_client_metadata", description=sentence)
    changed = msgspec.structs.replace(
        client,
        name=judged.name,
        secret_method=judged.secret_method,
        secret_digests=() if judged.assertion is not None else client.secret_digests,
        refresh=judged.refresh,
        code_flow=judged.code_flow,
        logout=judged.logout,
        pages=judged.pages,
        assertion=judged.assertion,
        jwks=judged.jwks,
        jwks_uri=judged.jwks_uri,
    )
    made = _equip(changed, desk.randomness)
    await begin_client_lines(made.client, desk.keys, now=now)
    event = _event("client_changed", made.client, caller, now=now)
    done = await desk.store.clients.replace(made.client, read=client, events=[event])
    return made if done else refuse("changed_meanwhile")


async def delete_registration(
    client_id: str, token: str | None, caller: Caller, *, desk: RegistrationDesk
) -> OAuthError | None:
    """Delete a client by its own word, and end its sessions."""
    client = await _authenticate(client_id, token, store=desk.store)
    if isinstance(client, OAuthError):
        return client
    now = desk.clock()
    await desk.store.clients.delete(client_id, now=now, events=[_event("client_deleted", client, caller, now=now)])
    return None


async def _find_initial_access_token(
    token: str | None, *, store: Store, now: Instant
) -> InitialAccessToken | OAuthError:
    if token is None:
        sentence = "To register a client here, send an initial access token as Authorization: Bearer."
        return refuse("token_missing", description=sentence)
    found = await store.initial_access_tokens.find_live(_digest(token), now=now)
    return refuse("initial_access_token_refused") if found is None else found


async def _authenticate(client_id: str, token: str | None, *, store: Store) -> Client | OAuthError:
    """Find the client that a token manages; one answer for all that is wrong (RFC 7592 §2.1)."""
    if token is None:
        return refuse("token_missing")
    client = await store.clients.find(client_id)
    known = None if client is None or client.disabled_at is not None else client.registration_token_digest
    proven = hmac.compare_digest(_digest(token), known or bytes(32))
    return refuse("token_refused") if client is None or known is None or not proven else client


async def _judge(
    metadata: ClientMetadata, client_id: str, *, desk: RegistrationDesk, now: Instant
) -> Client | OAuthError:
    if not desk.frontchannel_logout:
        metadata = msgspec.structs.replace(
            metadata, frontchannel_logout_uri=None, frontchannel_logout_session_required=None
        )
    client = client_of_metadata(metadata, client_id=client_id, require_pkce=desk.require_pkce, now=now)
    if isinstance(client, OAuthError) or client.code_flow is None:
        return client
    return await _sector_refusal(client.code_flow, outgoing=desk.outgoing) or client


async def _sector_refusal(flow: CodeFlow, *, outgoing: Outgoing) -> OAuthError | None:
    """Refuse a sector whose document does not list every redirect URI (OpenID Connect Core §8.1)."""
    if flow.sector_identifier_uri is None:
        return None
    answer = await outgoing.fetch(flow.sector_identifier_uri)
    listed: list[str] = []
    if not isinstance(answer, OutgoingFailed) and answer.status == HTTPStatus.OK:
        try:
            listed = msgspec.json.decode(answer.body, type=list[str])
        except (msgspec.DecodeError, UnicodeDecodeError):
            listed = []
    if set(flow.redirect_uris) <= set(listed):
        return None
    # One sentence for all: what lies at an address that somebody named is not for them to find out.
    sentence = "The document at sector_identifier_uri does not list every redirect URI."
    return refuse("invalid_client_metadata", description=sentence)


def _equip(client: Client, randomness: Randomness) -> RegisteredClient:
    """Give a client a new registration access token, and a secret where it needs one and has none."""
    token = make_secret("slt_", randomness=randomness)
    needs_secret = client.type == "confidential" and client.assertion is None and not client.secret_digests
    secret = make_client_secret(randomness) if needs_secret else None
    digests = client.secret_digests if secret is None else (_digest(secret.reveal()),)
    return RegisteredClient(
        client=msgspec.structs.replace(
            client, secret_digests=digests, registration_token_digest=_digest(token.reveal())
        ),
        client_secret=secret,
        registration_access_token=token,
    )


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _event(
    event: str, client: Client, caller: Caller, *, now: Instant, details: Mapping[str, str] | None = None
) -> AuditEvent:
    return AuditEvent(
        event=event,
        at=now,
        actor=f"client:{client.client_id}",
        client_id=client.client_id,
        network=caller.network,
        details=details or {},
    )
