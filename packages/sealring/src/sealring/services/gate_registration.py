"""The operator's acts on gated hosts: register, change, a new key for the proxy, remove."""

from hashlib import sha256

import msgspec

from sealring.ports import Clock, Randomness, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.gate_registration import (
    GateChange,
    GateRegistration,
    gate_client_id,
    parse_gate_change,
    parse_gate_registration,
)
from sealring.protocol.instant import Instant
from sealring.protocol.secret import Secret, make_secret
from sealring.services.acknowledgement import ApiKnowledge
from sealring.services.gate import find_registered_gate


class GateNamed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which gate an act is about."""

    host: str


class GateSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A gate as the operator sees it: everything but its keys, of which only the number is told."""

    host: str
    name: str
    client_id: str
    api: str | None
    scopes: frozenset[str]
    keys: int
    disabled_at: Instant | None
    created_at: Instant


class GateList(msgspec.Struct, frozen=True, kw_only=True):
    """All gates."""

    gates: tuple[GateSeen, ...]


class GateKeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """A gate and the new key of its proxy, shown this once."""

    gate: GateSeen
    gate_key: Secret


class GateRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """Which gate was removed, and how many sessions lived there. `known`: which APIs know."""

    host: str
    sessions: int
    known: tuple[ApiKnowledge, ...] = ()


async def add_gate(
    request: GateRegistration, *, store: Store, clock: Clock, randomness: Randomness, actor: str
) -> GateKeyMade | OAuthError:
    """Register a gated host, with a key of 256 bits for its proxy, stored as SHA-256."""
    now = clock()
    client = parse_gate_registration(request, known=await _scopes_by_api(store), now=now)
    if isinstance(client, OAuthError):
        return client
    key = _make_key(randomness)
    client = msgspec.structs.replace(client, secret_digests=(_digest(key),))
    if not await store.clients.add(client, events=[_event("gate_added", client, actor=actor, now=now)]):
        return refuse("already_registered")
    return GateKeyMade(gate=_seen(client), gate_key=key)


async def list_gates(*, store: Store) -> GateList:
    """List all gates."""
    return GateList(gates=tuple(_seen(client) for client in await store.clients.list_all() if client.gate is not None))


async def update_gate(request: GateChange, *, store: Store, clock: Clock, actor: str) -> GateSeen | OAuthError:
    """Change a gate; what it lost counts at the next request, a scope that it got from the next log-in on."""
    client = await find_registered_gate(request.host, store=store)
    if client is None:
        return refuse("unknown_gate")
    changed = parse_gate_change(client, request, known=await _scopes_by_api(store))
    if isinstance(changed, OAuthError):
        return changed
    event = _event("gate_changed", client, actor=actor, now=clock())
    done = await store.clients.replace(changed, read=client, events=[event])
    return _seen(changed) if done else refuse("changed_meanwhile")


async def rotate_gate_key(
    request: GateNamed, *, store: Store, clock: Clock, randomness: Randomness, actor: str
) -> GateKeyMade | OAuthError:
    """Give a gate's proxy a new key; the one before stays good until the next rotation."""
    client = await find_registered_gate(request.host, store=store)
    if client is None:
        return refuse("unknown_gate")
    key = _make_key(randomness)
    changed = msgspec.structs.replace(client, secret_digests=(_digest(key), *client.secret_digests[:1]))
    event = _event("gate_key_rotated", client, actor=actor, now=clock())
    done = await store.clients.replace(changed, read=client, events=[event])
    return GateKeyMade(gate=_seen(changed), gate_key=key) if done else refuse("changed_meanwhile")


async def remove_gate(request: GateNamed, *, store: Store, clock: Clock, actor: str) -> GateRemoved | OAuthError:
    """Remove a gate and end its sessions."""
    client = await find_registered_gate(request.host, store=store)
    if client is None:
        return refuse("unknown_gate")
    now = clock()
    event = _event("gate_removed", client, actor=actor, now=now)
    ended = await store.clients.delete(gate_client_id(request.host), now=now, events=[event])
    return refuse("unknown_gate") if ended is None else GateRemoved(host=request.host, sessions=ended)


async def _scopes_by_api(store: Store) -> dict[str, frozenset[str]]:
    return {api.identifier: frozenset(api.scopes) for api in await store.apis.list_all()}


def _make_key(randomness: Randomness) -> Secret:
    return make_secret("slg_", randomness=randomness)


def _digest(key: Secret) -> bytes:
    return sha256(key.reveal().encode()).digest()


def _event(event: str, client: Client, *, actor: str, now: Instant) -> AuditEvent:
    return AuditEvent(event=event, at=now, actor=actor, client_id=client.client_id)


def _seen(client: Client) -> GateSeen:
    gate = client.gate
    return GateSeen(
        host="" if gate is None else gate.host,
        name=client.name,
        client_id=client.client_id,
        api=None if gate is None else gate.api,
        scopes=frozenset[str]().union(*client.allowed.values()),
        keys=len(client.secret_digests),
        disabled_at=client.disabled_at,
        created_at=client.created_at,
    )
