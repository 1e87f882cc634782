"""The operator's acts on the store itself: how it stands, and a new beginning after it was rolled back."""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from sealring.ports import Clock, Randomness, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.standing_key import StandingKey


class StoreStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How an installation stands. `incarnation`: hexadecimal; `feed_number`: ends counted; `sessions`: live ones."""

    issuer: str
    incarnation: str
    feed_number: int
    demo: bool
    sessions: int
    clients: int
    apis: int


class BackUpStore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the copy shall be written: an absolute path."""

    path: str


class StoreBackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """A copy was written."""

    path: str


class StoreRestored(msgspec.Struct, frozen=True, kw_only=True):
    """A copy took the store's place. `former_issuer`: where it came under another issuer; `sessions`: ended ones."""

    incarnation: str
    former_issuer: str | None
    sessions: int


class StoreRecovered(msgspec.Struct, frozen=True, kw_only=True):
    """A new incarnation has begun; `sessions`: how many lived and were ended."""

    incarnation: str
    sessions: int


async def read_status(*, store: Store, issuer: str, clock: Clock) -> StoreStatus:
    """Say how the installation stands."""
    identity = await store.state.identity()
    return StoreStatus(
        issuer=issuer,
        incarnation=identity.incarnation.hex(),
        feed_number=identity.feed_number,
        demo=identity.demo,
        sessions=await store.sessions.count_live(sub=None, now=clock()),
        clients=len(await store.clients.list_all()),
        apis=len(await store.apis.list_all()),
    )


async def recover_store(
    *, store: Store, remember: Callable[[bytes, int], None] | None, clock: Clock, randomness: Randomness, actor: str
) -> StoreRecovered | OAuthError:
    """Begin a new incarnation (SECURITY A9): all epochs rise and everybody signs in again.

    `remember`: writes the incarnation and the feed number down outside of the store; None while a server runs.
    """
    if remember is None:
        return refuse("server_running")
    now, incarnation = clock(), randomness(16)
    event = AuditEvent(event="store_recovered", at=now, actor=actor, details={"incarnation": incarnation.hex()})
    ended = await store.state.recover(incarnation, now=now, events=[event])
    # Only now: a crash in between leaves a store that looks rolled back, and recovering again mends it.
    remember(incarnation, (await store.state.identity()).feed_number)
    return StoreRecovered(incarnation=incarnation.hex(), sessions=ended)


async def back_up_store(
    request: BackUpStore, *, store: Store, key_folders: Iterable[Path], clock: Clock, actor: str
) -> StoreBackedUp | OAuthError:
    """Write a copy of the store, also while it is served; never where a master key lies, which is not in it."""
    path = Path(request.path)
    if not path.is_absolute():
        return refuse("backup_refused", description="Name the copy by an absolute path.")
    holding = next((folder for folder in key_folders if _lies_in(folder, path)), None)
    if holding is not None:
        sentence = f"A master key lies in {holding}: whoever has both is the issuer. Keep the copy elsewhere."
        return refuse("backup_refused", description=sentence)
    problem = await store.state.copy_to(request.path)
    if problem is not None:
        return refuse("backup_refused", description=problem)
    event = AuditEvent(event="store_backed_up", at=clock(), actor=actor, details={"file": path.name})
    await store.audit.record([event])
    return StoreBackedUp(path=request.path)


def _lies_in(folder: Path, path: Path) -> bool:
    return path.parent.resolve().is_relative_to(folder.resolve())


def find_copy_problem(*, demo: bool, former: str | None, issuer: str, as_copy: bool) -> str | None:
    """Say why a copy may not be restored under `issuer`, or None: the demo's, or another issuer's unless `as_copy`.

    `former`: the issuer under which it was served last.
    """
    if demo:
        return "This is a copy of the demo's database: its users are not yours."
    if as_copy or former in {None, issuer}:
        return None
    return (
        f"This copy was served as {former}, not as {issuer}. Keep the issuer as it was, or say --as-copy: then its "
        "keys are destroyed and it begins anew under the issuer of the configuration."
    )


async def restore_store(
    *,
    store: Store,
    issuer: str,
    as_copy: bool,
    standing: Iterable[StandingKey] = (),
    clock: Clock,
    randomness: Randomness,
    actor: str,
) -> StoreRestored:
    """Make a staged copy fit to be served: a new incarnation, all epochs raised, all sessions ended (SECURITY A9).

    `as_copy`: under `issuer`, whichever the store had before; all its keys and administrator links are destroyed, and
    `standing` take the place of the standing keys.
    Nothing is remembered outside of the store: it has not taken its place yet.
    """
    now, incarnation = clock(), randomness(16)
    former = await store.state.former_issuer()
    if as_copy:
        await store.state.destroy_keys(standing, events=[])
        if former is not None and former != issuer:
            await _rename_issuer(store, former=former, issuer=issuer, now=now)
    details: dict[str, str | int] = {"incarnation": incarnation.hex()}
    if as_copy and former is not None:
        details["former_issuer"] = former
    event = AuditEvent(event="store_restored", at=now, actor=actor, details=details)
    ended = await store.state.recover(incarnation, now=now, events=[event])
    return StoreRestored(
        incarnation=incarnation.hex(), former_issuer=former if as_copy and former != issuer else None, sessions=ended
    )


async def _rename_issuer(store: Store, *, former: str, issuer: str, now: Instant) -> None:
    """The issuer is itself an API, and clients are allowed its scopes by its name."""
    api = await store.apis.find(former)
    if api is not None:
        added = AuditEvent(event="api_added", at=now, actor="sealring", api=issuer)
        await store.apis.add(msgspec.structs.replace(api, identifier=issuer, secret_digests=()), events=[added])
        deleted = AuditEvent(event="api_deleted", at=now, actor="sealring", api=former)
        await store.apis.delete(former, events=[deleted])
    for client in await store.clients.list_all():
        if former in client.allowed:
            allowed = {issuer if name == former else name: scopes for name, scopes in client.allowed.items()}
            changed = AuditEvent(event="client_changed", at=now, actor="sealring", client_id=client.client_id)
            await store.clients.replace(msgspec.structs.replace(client, allowed=allowed), read=client, events=[changed])
