"""The operator's acts on clients: register, change, secrets, disable, delete."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

import msgspec

from sealring.browser.origin import OriginMalformed, parse_origin
from sealring.browser.site import is_same_site
from sealring.ports import Clock, Randomness, Store
from sealring.protocol.access_taken_away import AccessTakenAway, find_access_taken_away
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.client import (
    AssertionTerms,
    Client,
    ClientLogout,
    ClientPages,
    ClientType,
    CodeFlow,
    TokenDelivery,
    TokenEndpointAuthMethod,
)
from sealring.protocol.client_registration import (
    ClientChange,
    ClientRegistration,
    parse_client_change,
    parse_client_registration,
)
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.key_schedule import client_schedules
from sealring.protocol.secret import Secret, make_secret
from sealring.services.acknowledgement import ApiKnowledge
from sealring.services.key_admin import KeyDesk
from sealring.services.key_schedule import begin_line


class ClientNamed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which client an act is about."""

    client_id: str


class RotateClientSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new secret for a client; `compromised`: the old ones and all that was made with them end at once."""

    client_id: str
    compromised: bool = False


class ClientSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A client as the operator sees it: everything but its secrets, of which only the number is told."""

    client_id: str
    name: str
    type: ClientType
    token_endpoint_auth_method: TokenEndpointAuthMethod
    assertion: AssertionTerms | None
    jwks: str | None
    jwks_uri: str | None
    secrets: int
    first_party: bool
    permissions: frozenset[str]
    allowed: dict[str, frozenset[str]]
    token_delivery: TokenDelivery
    origins: frozenset[str]
    client_credentials: bool
    refresh: bool
    idle_lifetime: Seconds
    absolute_lifetime: Seconds
    grace_window: Seconds
    code_flow: CodeFlow | None
    logout: ClientLogout
    pages: ClientPages
    self_registered: bool
    disabled_at: Instant | None
    created_at: Instant


class ClientUpdated(ClientSeen, frozen=True, kw_only=True):
    """A client after a change. `taken_away`: what it lost, and until when tokens issued before may be used."""

    taken_away: tuple[AccessTakenAway, ...] = ()


class ClientList(msgspec.Struct, frozen=True, kw_only=True):
    """All clients."""

    clients: tuple[ClientSeen, ...]


class ClientAdded(msgspec.Struct, frozen=True, kw_only=True):
    """A new client; its secret is shown this once, None for a client that is public or proves itself by its keys."""

    client: ClientSeen
    client_secret: Secret | None


class ClientSecretMade(msgspec.Struct, frozen=True, kw_only=True):
    """A client's new secret, shown this once. `secrets`: how many are accepted now.

    `sessions`: how many were ended with the old ones, None where those stay good. `known`: which APIs know of that.
    """

    client_id: str
    client_secret: Secret
    secrets: int
    sessions: int | None = None
    known: tuple[ApiKnowledge, ...] = ()


class ClientEnded(msgspec.Struct, frozen=True, kw_only=True):
    """Which client's sessions an act ended, and how many lived. `known`: which APIs know."""

    client_id: str
    sessions: int
    known: tuple[ApiKnowledge, ...] = ()


async def add_client(
    request: ClientRegistration, *, store: Store, keys: KeyDesk, clock: Clock, randomness: Randomness, actor: str
) -> ClientAdded | OAuthError:
    """Register a client; a confidential one without keys of its own gets a secret of 256 bits, stored as SHA-256.

    `already_registered` also where a person has the id for a `sub`: APIs would take one for the other (RFC 9068 §5).
    """
    now = clock()
    client = judge_registration(request, issuer=keys.signer.realm.issuer, known=await _scopes_by_api(store), now=now)
    if isinstance(client, OAuthError):
        return client
    has_secret = client.type == "confidential" and client.assertion is None
    secret = make_client_secret(randomness) if has_secret else None
    if secret is not None:
        client = msgspec.structs.replace(client, secret_digests=(_digest(secret),))
    await begin_client_lines(client, keys, now=now)
    event = _event("client_added", client.client_id, actor=actor, now=now)
    if not await store.clients.add(client, events=[event]):
        return refuse("already_registered")
    return ClientAdded(client=_seen(client), client_secret=secret)


def judge_registration(
    request: ClientRegistration, *, issuer: str, known: Mapping[str, frozenset[str]], now: Instant
) -> Client | OAuthError:
    """Make a client without secrets of its registration. `known`: registered API identifier → its scopes."""
    refusal = _refuse_origins(request.origins)
    if refusal is not None:
        return refusal
    client = parse_client_registration(request, known=known, now=now)
    if isinstance(client, OAuthError):
        return client
    return _refuse_foreign_pages(client, issuer=issuer) or client


async def show_client(request: ClientNamed, *, store: Store) -> ClientSeen | OAuthError:
    """Show one client."""
    client = await store.clients.find(request.client_id)
    return refuse("unknown_client") if client is None else _seen(client)


async def list_clients(*, store: Store) -> ClientList:
    """List all clients."""
    return ClientList(clients=tuple(_seen(client) for client in await store.clients.list_all()))


async def update_client(
    request: ClientChange, *, store: Store, keys: KeyDesk, issuer: str, clock: Clock, actor: str
) -> ClientUpdated | OAuthError:
    """Change a client's registration; the sessions that it opened follow it at their next refresh.

    No epoch rises: that would end its sessions too, also those that have nothing to do with what it lost.
    """
    client = await store.clients.find(request.client_id)
    if client is None:
        return refuse("unknown_client")
    if client.gate is not None:
        return _refuse_gate()
    refusal = _refuse_origins(request.origins or ())
    if refusal is not None:
        return refusal
    changed = parse_client_change(client, request, known=await _scopes_by_api(store))
    if isinstance(changed, OAuthError):
        return changed
    foreign = _refuse_foreign_pages(changed, issuer=issuer)
    if foreign is not None:
        return foreign
    if changed.client_credentials and await store.users.find(client.client_id) is not None:
        # From then on its tokens would be the person's. No person comes to be called so once the client is there.
        return refuse("already_registered", description="A person has that id for a sub: register another client.")
    now = clock()
    await begin_client_lines(changed, keys, now=now)
    event = _event("client_changed", client.client_id, actor=actor, now=now)
    if not await store.clients.replace(changed, read=client, events=[event]):
        return refuse("changed_meanwhile")
    apis = await store.apis.list_all()
    taken_away = find_access_taken_away(client, changed, apis=apis, issuer=issuer, now=now)
    return ClientUpdated(**msgspec.structs.asdict(_seen(changed)), taken_away=taken_away)


async def rotate_client_secret(
    request: RotateClientSecret, *, store: Store, clock: Clock, randomness: Randomness, actor: str
) -> ClientSecretMade | OAuthError:
    """Give a confidential client a new secret; the one before stays good until the next rotation.

    Where it is compromised the old secrets end at once, the epoch rises and the client's sessions end.
    """
    client = await store.clients.find(request.client_id)
    if client is None:
        return refuse("unknown_client")
    if client.gate is not None:
        return _refuse_gate()
    if client.type == "public":
        return refuse("invalid_registration", description="A public client has no secret.")
    if client.assertion is not None:
        return refuse("invalid_registration", description="This client proves itself by its keys: register new ones.")
    secret, now = make_client_secret(randomness), clock()
    kept = () if request.compromised else client.secret_digests[:1]
    changed = msgspec.structs.replace(client, secret_digests=(_digest(secret), *kept))
    made = ClientSecretMade(client_id=client.client_id, client_secret=secret, secrets=len(changed.secret_digests))
    if request.compromised:
        event = _event("client_compromised", client.client_id, actor=actor, now=now)
        ended = await store.clients.compromise(changed, read=client, now=now, events=[event])
        return refuse("changed_meanwhile") if ended is None else msgspec.structs.replace(made, sessions=ended)
    event = _event("client_secret_rotated", client.client_id, actor=actor, now=now)
    done = await store.clients.replace(changed, read=client, events=[event])
    return made if done else refuse("changed_meanwhile")


async def set_client_disabled(
    request: ClientNamed, *, disabled: bool, store: Store, clock: Clock, actor: str
) -> ClientEnded | OAuthError:
    """Disable a client (its epoch rises, its sessions end), or enable it again."""
    now = clock()
    event = _event("client_disabled" if disabled else "client_enabled", request.client_id, actor=actor, now=now)
    ended = await store.clients.set_disabled(request.client_id, disabled=disabled, now=now, events=[event])
    return refuse("unknown_client") if ended is None else ClientEnded(client_id=request.client_id, sessions=ended)


async def delete_client(request: ClientNamed, *, store: Store, clock: Clock, actor: str) -> ClientEnded | OAuthError:
    """Delete a client and end its sessions."""
    now = clock()
    event = _event("client_deleted", request.client_id, actor=actor, now=now)
    ended = await store.clients.delete(request.client_id, now=now, events=[event])
    return refuse("unknown_client") if ended is None else ClientEnded(client_id=request.client_id, sessions=ended)


async def begin_client_lines(client: Client, keys: KeyDesk, *, now: Instant) -> None:
    """Have keys of the client's algorithms at work before its next ID token or userinfo is signed."""
    for line in client_schedules(client):
        await begin_line(line, store=keys.store, signer=keys.signer, terms=keys.terms, now=now)


async def _scopes_by_api(store: Store) -> dict[str, frozenset[str]]:
    return {api.identifier: frozenset(api.scopes) for api in await store.apis.list_all()}


def _refuse_origins(origins: Sequence[str]) -> OAuthError | None:
    for text in origins:
        parsed = parse_origin(text)
        if isinstance(parsed, OriginMalformed):
            return refuse("invalid_registration", description=f"{text!r} is no origin. {parsed.sentence}")
    return None


def _refuse_gate() -> OAuthError:
    return refuse("invalid_registration", description="This is a gate: `sealring gates` changes it.")


def _refuse_foreign_pages(client: Client, *, issuer: str) -> OAuthError | None:
    """Refuse cookie delivery to pages of another site: browsers would send them no cookie of ours (SECURITY D1)."""
    if client.token_delivery == "cookie":
        for origin in sorted(client.origins):
            if not is_same_site(origin, issuer):
                sentence = (
                    f"{origin} and {issuer} are not one site, as far as can be told, so a browser would send no "
                    f"cookies: serve the issuer under a path of the page's host, as {origin}/auth, through a proxy."
                )
                return refuse("invalid_registration", description=sentence)
    return None


def make_client_secret(randomness: Randomness) -> Secret:
    """Make a client's secret of 256 bits, which scanners of secrets know by its prefix."""
    return make_secret("slc_", randomness=randomness)


def _digest(secret: Secret) -> bytes:
    return sha256(secret.reveal().encode()).digest()


def _event(event: str, client_id: str, *, actor: str, now: Instant) -> AuditEvent:
    return AuditEvent(event=event, at=now, actor=actor, client_id=client_id)


def _seen(client: Client) -> ClientSeen:
    shown = {name: getattr(client, name) for name in ClientSeen.__struct_fields__ if name != "secrets"}
    return ClientSeen(secrets=len(client.secret_digests), **shown)
