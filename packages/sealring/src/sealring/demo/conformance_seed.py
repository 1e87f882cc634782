"""People and clients that a conformance suite expects, written into the demo and nowhere else (SECURITY D7)."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec

from sealring.compose import Act
from sealring.credentials.password_hash import Match, MatchNeedsRehash
from sealring.credentials.password_policy import PasswordRefused, prepare_password
from sealring.ports import HashingBusy
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.client import Client
from sealring.protocol.client_metadata import ClientMetadata, client_of_metadata
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.secret import Secret
from sealring.protocol.user import User
from sealring.protocol.user_registration import parse_custom_claims
from sealring.services.client import begin_client_lines
from sealring.services.desk import Desk
from sealring.services.user import new_user, parse_login_names

SEED_ACT: Final = "dev.conformance_seed"
MAXIMUM_SEED_BYTES: Final = 1024 * 1024


class SeedUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person of the suite's. The password may be as weak as the suite has it."""

    username: str
    password: Secret
    claims: Mapping[str, object] = {}


class SeedClient(ClientMetadata, frozen=True, kw_only=True):
    """A client of the suite's. `client_secret`: any text; without one the client is public or proves itself by keys."""

    client_id: str
    client_secret: Secret | None = None
    require_pkce: bool = True


class ConformanceSeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom and what the suite expects."""

    users: tuple[SeedUser, ...] = ()
    clients: tuple[SeedClient, ...] = ()


class ConformanceSeeded(msgspec.Struct, frozen=True, kw_only=True):
    """Who is there now, as the seed named them."""

    users: tuple[str, ...]
    clients: tuple[str, ...]


async def sow_conformance_seed(seed: ConformanceSeed, desk: Desk, actor: str) -> ConformanceSeeded | OAuthError:
    """Add who is missing and give whoever is there what the seed says; a second time changes nothing.

    Refused, before anything is written, where a member of the seed cannot be.
    """
    if not (await desk.store.state.identity()).demo:
        return refuse("unknown_act", description="This is a real installation: seeds are for the demo alone.")
    clients = [_client_of(said, desk) for said in seed.clients]
    for client in clients:
        if isinstance(client, OAuthError):
            return client
    for person in seed.users:
        refusal = await _settle_user(person, desk, actor=actor)
        if refusal is not None:
            return refusal
    for client in clients:
        refusal = client if isinstance(client, OAuthError) else await _settle_client(client, desk, actor=actor)
        if refusal is not None:
            return refusal
    return ConformanceSeeded(
        users=tuple(person.username for person in seed.users), clients=tuple(said.client_id for said in seed.clients)
    )


SEED_ACTS: Final[Mapping[str, Act]] = {
    SEED_ACT: Act(request=ConformanceSeed, perform=sow_conformance_seed, maximum_bytes=MAXIMUM_SEED_BYTES)
}
"""What the demo's control socket takes beside the acts of every installation."""


def _client_of(said: SeedClient, desk: Desk) -> Client | OAuthError:
    client = client_of_metadata(said, client_id=said.client_id, require_pkce=said.require_pkce, now=desk.clock())
    if isinstance(client, OAuthError):
        return _about(client, f"client {said.client_id!a}")
    needs_secret = client.type == "confidential" and client.assertion is None
    if needs_secret != (said.client_secret is not None):
        sentence = f"client {said.client_id!a}: a client_secret belongs to clients of the secret methods, and to all."
        return refuse("invalid_client_metadata", description=sentence)
    if said.client_secret is None:
        return client
    return msgspec.structs.replace(client, secret_digests=(sha256(said.client_secret.reveal().encode()).digest(),))


async def _settle_client(client: Client, desk: Desk, *, actor: str) -> OAuthError | None:
    now = desk.clock()
    await begin_client_lines(client, desk.keys, now=now)
    known = await desk.store.clients.find(client.client_id)
    event = AuditEvent(
        event="client_added" if known is None else "client_changed", at=now, actor=actor, client_id=client.client_id
    )
    if known is None:
        return None if await desk.store.clients.add(client, events=[event]) else refuse("already_registered")
    same = msgspec.structs.replace(
        client, epoch=known.epoch, created_at=known.created_at, disabled_at=known.disabled_at
    )
    if same == known:
        return None
    done = await desk.store.clients.replace(same, read=known, events=[event])
    return None if done else refuse("changed_meanwhile")


async def _settle_user(person: SeedUser, desk: Desk, *, actor: str) -> OAuthError | None:
    names = parse_login_names(username=person.username, email=None)
    claims = parse_custom_claims(person.claims)
    prepared = prepare_password(person.password.reveal())
    about = f"user {person.username!a}"
    if isinstance(names, OAuthError):
        return _about(names, about)
    if isinstance(claims, OAuthError):
        return _about(claims, about)
    if isinstance(prepared, PasswordRefused) or names.username is None:
        return _about(refuse("password_refused"), about)
    known = await desk.store.users.find_by_login(names.username.key)
    if known is not None:
        return await _change_user(known.user, known.password_hash, person, (prepared, claims), desk=desk, actor=actor)
    hashed = await desk.hashing.hash(prepared)
    if isinstance(hashed, HashingBusy):
        return refuse("sign_in_busy", retry_after=1)
    made = new_user(names, now=desk.clock(), randomness=desk.randomness, administrator=False)
    user = msgspec.structs.replace(made, claims=person.claims, demo=True)
    event = AuditEvent(event="user_added", at=user.created_at, actor=actor, sub=user.sub)
    added = await desk.store.users.add(
        user, username_key=names.username.key, email_key=None, password_hash=hashed, events=[event]
    )
    return None if added else refuse("login_name_taken")


async def _change_user(
    user: User, password_hash: str | None, person: SeedUser, said: tuple[bytes, bytes], *, desk: Desk, actor: str
) -> OAuthError | None:
    """Give a person who is there what the seed says. `said`: the password as it is hashed, the claims as JSON."""
    prepared, claims = said
    now = desk.clock()
    if dict(user.claims) != dict(person.claims):
        event = AuditEvent(event="user_changed", at=now, actor=actor, sub=user.sub)
        await desk.store.users.set_claims(user.sub, claims, events=[event])
    checked = await desk.hashing.verify(password_hash, prepared)
    if isinstance(checked, Match | MatchNeedsRehash):
        return None
    hashed = await desk.hashing.hash(prepared)
    if isinstance(checked, HashingBusy) or isinstance(hashed, HashingBusy):
        return refuse("sign_in_busy", retry_after=1)
    event = AuditEvent(event="password_changed", at=now, actor=actor, sub=user.sub)
    await desk.store.users.set_password(
        user.sub, password_hash=hashed, proven_epoch=None, keep=None, now=now, events=[event]
    )
    return None


def _about(refusal: OAuthError, whom: str) -> OAuthError:
    return msgspec.structs.replace(refusal, description=f"{whom}: {refusal.description}")
