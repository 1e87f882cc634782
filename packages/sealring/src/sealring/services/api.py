"""The operator's acts on APIs: register, change, secrets, delete."""

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from sealring.ports import Clock, Randomness, Store
from sealring.protocol.api import AccessTokenFormat, Api, SigningAlgorithm
from sealring.protocol.api_registration import ApiChange, ApiRegistration, parse_api_change, parse_api_registration
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.key_schedule import access_token_schedule
from sealring.protocol.secret import Secret, make_secret
from sealring.protocol.symmetric_secret import SymmetricSecret
from sealring.services.acknowledgement import Readers
from sealring.services.key_admin import KeyDesk
from sealring.services.key_schedule import begin_line
from sealring.services.report import ApiReport
from sealring.services.symmetric_secret import begin_symmetric_line, end_symmetric_line


class ApiNamed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which API an act is about."""

    identifier: str


class ApiSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An API as the operator sees it: everything but its secrets, of which only the number is told.

    `streams`: how many read the revocation feed now. `report`: what its verifiers last said, None where none did.
    """

    identifier: str
    scopes: Mapping[str, str]
    access_token_lifetime: Seconds
    byte_budget: int
    claims: tuple[str, ...]
    access_token_signing_alg: SigningAlgorithm
    access_token_format: AccessTokenFormat
    encryption_jwks: str | None
    secrets: int
    streams: int = 0
    report: ApiReport | None = None
    insecure_long_access_tokens: bool
    insecure_allow_personal_claims: bool
    created_at: Instant


class ApiList(msgspec.Struct, frozen=True, kw_only=True):
    """All APIs."""

    apis: tuple[ApiSeen, ...]


class ApiSecretMade(msgspec.Struct, frozen=True, kw_only=True):
    """An API and its new secret (`SEALRING_API_KEY`), shown this once; `api.secrets`: how many are accepted now.

    `symmetric`: the first one to verify with, of an API that is added with one.
    """

    api: ApiSeen
    api_key: Secret
    symmetric: SymmetricSecret | None = None


async def add_api(
    request: ApiRegistration, *, store: Store, keys: KeyDesk, clock: Clock, randomness: Randomness, actor: str
) -> ApiSecretMade | OAuthError:
    """Register an API with a secret of 256 bits, stored as SHA-256."""
    now = clock()
    api = parse_api_registration(request, now=now)
    if isinstance(api, OAuthError):
        return api
    if api.identifier == keys.signer.realm.issuer:
        if _is_symmetric(api):
            return _refuse_symmetric_issuer()
        if api.access_token_format == "opaque" or api.encryption_jwks is not None:
            return _refuse_unsigned_issuer()
    secret = _make_secret(randomness)
    api = msgspec.structs.replace(api, secret_digests=(_digest(secret),))
    await _begin_line(api, keys, now=now)
    if not await store.apis.add(api, events=[_event("api_added", api.identifier, actor=actor, now=now)]):
        return refuse("already_registered")
    # Only whoever won the name gives it a secret; where a crash comes in between, `keys rotate --api` does.
    symmetric = await begin_symmetric_line(api, desk=keys, actor=actor, now=now) if _is_symmetric(api) else None
    return ApiSecretMade(api=_seen(api), api_key=secret, symmetric=symmetric)


async def show_api(request: ApiNamed, *, store: Store, readers: Readers | None, clock: Clock) -> ApiSeen | OAuthError:
    """Show one API, and what its verifiers say of themselves."""
    api = await store.apis.find(request.identifier)
    return refuse("unknown_api") if api is None else _heard(_seen(api), readers, now=clock())


async def list_apis(*, store: Store, readers: Readers | None, clock: Clock) -> ApiList:
    """List all APIs, and what their verifiers say of themselves."""
    now = clock()
    return ApiList(apis=tuple(_heard(_seen(api), readers, now=now) for api in await store.apis.list_all()))


async def update_api(
    request: ApiChange, *, store: Store, keys: KeyDesk, issuer: str, clock: Clock, actor: str
) -> ApiSeen | OAuthError:
    """Change an API's registration; a scope that some client may still ask for stays.

    The issuer's own API keeps its scopes: our own endpoints rest on them. No API begins to share a secret: between two
    algorithms its verifiers, which take one of them, would refuse every token.
    """
    api = await store.apis.find(request.identifier)
    if api is None:
        return refuse("unknown_api")
    now = clock()
    changed = parse_api_change(api, request, now=now)
    if isinstance(changed, OAuthError):
        return changed
    gone = api.scopes.keys() - changed.scopes.keys()
    if api.identifier == issuer and changed.scopes.keys() != api.scopes.keys():
        return _refuse_own_api()
    if _is_symmetric(changed) and not _is_symmetric(api):
        return _refuse_symmetric_issuer() if api.identifier == issuer else _refuse_symmetric_change()
    users = [
        client.client_id
        for client in await store.clients.list_all()
        if gone & client.allowed.get(api.identifier, frozenset())
    ]
    if users:
        return _refuse_while_used(users)
    await _begin_line(changed, keys, now=now)
    event = _event("api_changed", api.identifier, actor=actor, now=now)
    done = await store.apis.replace(changed, read=api, events=[event])
    if done and _is_symmetric(api) and not _is_symmetric(changed):
        await end_symmetric_line(api.identifier, desk=keys, actor=actor, now=now)
    return _seen(changed) if done else refuse("changed_meanwhile")


async def rotate_api_secret(
    request: ApiNamed, *, store: Store, clock: Clock, randomness: Randomness, actor: str
) -> ApiSecretMade | OAuthError:
    """Give an API a new secret; the one before stays good until the next rotation."""
    api = await store.apis.find(request.identifier)
    if api is None:
        return refuse("unknown_api")
    secret = _make_secret(randomness)
    changed = msgspec.structs.replace(api, secret_digests=(_digest(secret), *api.secret_digests)[:2])
    event = _event("api_secret_rotated", api.identifier, actor=actor, now=clock())
    done = await store.apis.replace(changed, read=api, events=[event])
    return ApiSecretMade(api=_seen(changed), api_key=secret) if done else refuse("changed_meanwhile")


async def delete_api(
    request: ApiNamed, *, store: Store, keys: KeyDesk, issuer: str, clock: Clock, actor: str
) -> ApiNamed | OAuthError:
    """Delete an API that no client may ask for any more, and its secrets; never the issuer's own."""
    if request.identifier == issuer:
        return _refuse_own_api()
    users = [client.client_id for client in await store.clients.list_all() if request.identifier in client.allowed]
    if users:
        return _refuse_while_used(users)
    now = clock()
    event = _event("api_deleted", request.identifier, actor=actor, now=now)
    if not await store.apis.delete(request.identifier, events=[event]):
        return refuse("unknown_api")
    # Whoever is given this name next shares nothing with who had it.
    await end_symmetric_line(request.identifier, desk=keys, actor=actor, now=now)
    return request


async def _begin_line(api: Api, keys: KeyDesk, *, now: Instant) -> None:
    """Have a key of the API's algorithm at work before its next token is signed; a secret is begun apart."""
    line = access_token_schedule(api)
    if line.api is None:
        await begin_line(line, store=keys.store, signer=keys.signer, terms=keys.terms, now=now)


def _is_symmetric(api: Api) -> bool:
    return api.access_token_signing_alg == "HS256"


def _refuse_symmetric_issuer() -> OAuthError:
    sentence = "The issuer's own API shares no secret with anybody: whoever had it could be any person here."
    return refuse("invalid_registration", description=sentence)


def _refuse_unsigned_issuer() -> OAuthError:
    sentence = "The issuer's own API has tokens that are only signed: its endpoints take nothing else."
    return refuse("invalid_registration", description=sentence)


def _refuse_symmetric_change() -> OAuthError:
    sentence = "Only a new API can be symmetric: the verifiers of this one would refuse every token. Add another."
    return refuse("invalid_registration", description=sentence)


def _refuse_own_api() -> OAuthError:
    sentence = "This API is the issuer itself: it may not be deleted or given other scopes."
    return refuse("invalid_registration", description=sentence)


def _refuse_while_used(clients: list[str]) -> OAuthError:
    names = ", ".join(clients)
    sentence = f"These clients may still ask for it: {names}. Take it from them first: `sealring clients update`."
    return refuse("still_in_use", description=sentence)


def _make_secret(randomness: Randomness) -> Secret:
    return make_secret("sla_", randomness=randomness)


def _digest(secret: Secret) -> bytes:
    return sha256(secret.reveal().encode()).digest()


def _event(event: str, identifier: str, *, actor: str, now: Instant) -> AuditEvent:
    return AuditEvent(event=event, at=now, actor=actor, api=identifier)


def _heard(api: ApiSeen, readers: Readers | None, *, now: Instant) -> ApiSeen:
    if readers is None:
        return api
    report = readers.reports.summary(api.identifier, now=now)
    return msgspec.structs.replace(api, streams=readers.feed.readers(api.identifier), report=report)


def _seen(api: Api) -> ApiSeen:
    members = msgspec.structs.asdict(api)
    shown = {name: members[name] for name in ApiSeen.__struct_fields__ if name in members}
    return ApiSeen(secrets=len(api.secret_digests), **shown)
