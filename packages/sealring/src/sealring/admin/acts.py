"""The one table of the operator's acts: name → what it takes, and the service that does it.

The command line, and whoever else may open the control socket, know an act by its name here.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from sealring.protocol.api_registration import ApiChange, ApiRegistration
from sealring.protocol.client_registration import ClientChange, ClientRegistration
from sealring.protocol.errors import OAuthError
from sealring.protocol.json_object import MAXIMUM_BODY_BYTES
from sealring.services import (
    administrator,
    api,
    audit,
    client,
    key_admin,
    master_key,
    revocation,
    session_admin,
    store_state,
    symmetric_secret,
    token_admin,
    user,
)
from sealring.services.acknowledgement import perform_and_wait
from sealring.services.desk import Desk

_Request = TypeVar("_Request", bound=msgspec.Struct)
_Done = Awaitable[msgspec.Struct | OAuthError]


class NoMembers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request of an act that needs to be told nothing: `{}`."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """`request`: the shape of its JSON. `perform`: request, desk and actor in, a Struct or a refusal out."""

    request: type[msgspec.Struct]
    perform: Callable[[Any, Desk, str], _Done]
    maximum_bytes: int = MAXIMUM_BODY_BYTES


def _act(request: type[_Request], perform: Callable[[_Request, Desk, str], _Done]) -> Act:
    return Act(request=request, perform=perform)


def _ending(request: type[_Request], perform: Callable[[_Request, Desk, str], _Done]) -> Act:
    """An act that ends something: it also says which APIs know of that, and waits briefly for their word."""

    async def perform_and_tell(request: _Request, desk: Desk, actor: str) -> msgspec.Struct | OAuthError:
        outcome, known = await perform_and_wait(
            lambda: perform(request, desk, actor),
            store=desk.store,
            readers=desk.readers,
            issuer=desk.issuer,
            now=desk.clock(),
        )
        return outcome if isinstance(outcome, OAuthError) else msgspec.structs.replace(outcome, known=known)

    return Act(request=request, perform=perform_and_tell)


def _add_user(request: user.AddUser, desk: Desk, actor: str) -> _Done:
    return user.add_user(
        request,
        store=desk.store,
        hashing=desk.hashing,
        password_policy=desk.password_policy,
        clock=desk.clock,
        randomness=desk.randomness,
        actor=actor,
    )


def _set_password(request: user.SetPassword, desk: Desk, actor: str) -> _Done:
    return user.set_password(
        request,
        store=desk.store,
        hashing=desk.hashing,
        password_policy=desk.password_policy,
        clock=desk.clock,
        actor=actor,
    )


def _set_user_disabled(*, disabled: bool) -> Act:
    return _ending(
        user.UserNamed,
        lambda request, desk, actor: user.set_user_disabled(
            request, disabled=disabled, store=desk.store, clock=desk.clock, actor=actor
        ),
    )


def _set_client_disabled(*, disabled: bool) -> Act:
    return _ending(
        client.ClientNamed,
        lambda request, desk, actor: client.set_client_disabled(
            request, disabled=disabled, store=desk.store, clock=desk.clock, actor=actor
        ),
    )


def _make_link(_request: NoMembers, desk: Desk, actor: str) -> _Done:
    return administrator.make_administrator_link(
        store=desk.store, issuer=desk.issuer, clock=desk.clock, randomness=desk.randomness, actor=actor
    )


_USERS: Final = {
    "users.add": _act(user.AddUser, _add_user),
    "users.list": _act(user.ListUsers, lambda request, desk, _: user.list_users(request, store=desk.store)),
    "users.show": _act(user.UserNamed, lambda request, desk, _: user.find_user(request.user, store=desk.store)),
    "users.disable": _set_user_disabled(disabled=True),
    "users.enable": _set_user_disabled(disabled=False),
    "users.delete": _ending(
        user.UserNamed,
        lambda request, desk, actor: user.delete_user(request, store=desk.store, clock=desk.clock, actor=actor),
    ),
    "users.set_password": _ending(user.SetPassword, _set_password),
    "users.set_roles": _act(
        user.SetRoles,
        lambda request, desk, actor: user.set_roles(request, store=desk.store, clock=desk.clock, actor=actor),
    ),
    "users.set_claims": _act(
        user.SetClaims,
        lambda request, desk, actor: user.set_claims(request, store=desk.store, clock=desk.clock, actor=actor),
    ),
    "users.link": _act(NoMembers, _make_link),
}

_CLIENTS: Final = {
    "clients.add": _act(
        ClientRegistration,
        lambda request, desk, actor: client.add_client(
            request, store=desk.store, issuer=desk.issuer, clock=desk.clock, randomness=desk.randomness, actor=actor
        ),
    ),
    "clients.list": _act(NoMembers, lambda _request, desk, _actor: client.list_clients(store=desk.store)),
    "clients.show": _act(client.ClientNamed, lambda request, desk, _: client.show_client(request, store=desk.store)),
    "clients.update": _act(
        ClientChange,
        lambda request, desk, actor: client.update_client(
            request, store=desk.store, issuer=desk.issuer, clock=desk.clock, actor=actor
        ),
    ),
    "clients.rotate_secret": _ending(
        client.RotateClientSecret,
        lambda request, desk, actor: client.rotate_client_secret(
            request, store=desk.store, clock=desk.clock, randomness=desk.randomness, actor=actor
        ),
    ),
    "clients.disable": _set_client_disabled(disabled=True),
    "clients.enable": _set_client_disabled(disabled=False),
    "clients.delete": _ending(
        client.ClientNamed,
        lambda request, desk, actor: client.delete_client(request, store=desk.store, clock=desk.clock, actor=actor),
    ),
}

_APIS: Final = {
    "apis.add": _act(
        ApiRegistration,
        lambda request, desk, actor: api.add_api(
            request, store=desk.store, keys=desk.keys, clock=desk.clock, randomness=desk.randomness, actor=actor
        ),
    ),
    "apis.list": _act(
        NoMembers,
        lambda _request, desk, _actor: api.list_apis(store=desk.store, readers=desk.readers, clock=desk.clock),
    ),
    "apis.show": _act(
        api.ApiNamed,
        lambda request, desk, _: api.show_api(request, store=desk.store, readers=desk.readers, clock=desk.clock),
    ),
    "apis.update": _act(
        ApiChange,
        lambda request, desk, actor: api.update_api(
            request, store=desk.store, keys=desk.keys, issuer=desk.issuer, clock=desk.clock, actor=actor
        ),
    ),
    "apis.rotate_secret": _act(
        api.ApiNamed,
        lambda request, desk, actor: api.rotate_api_secret(
            request, store=desk.store, clock=desk.clock, randomness=desk.randomness, actor=actor
        ),
    ),
    "apis.delete": _act(
        api.ApiNamed,
        lambda request, desk, actor: api.delete_api(
            request, store=desk.store, keys=desk.keys, issuer=desk.issuer, clock=desk.clock, actor=actor
        ),
    ),
}

_SESSIONS: Final = {
    "sessions.list": _act(
        session_admin.ListSessions,
        lambda request, desk, _: session_admin.list_sessions(request, store=desk.store, clock=desk.clock),
    ),
    "sessions.end": _ending(
        session_admin.EndSessions,
        lambda request, desk, actor: session_admin.end_sessions(
            request, store=desk.store, clock=desk.clock, actor=actor
        ),
    ),
}

_TOKENS: Final = {
    "tokens.issue": _act(
        token_admin.IssueToken,
        lambda request, desk, actor: token_admin.issue_token(
            request,
            store=desk.store,
            signer=desk.signer,
            clock=desk.clock,
            randomness=desk.randomness,
            actor=actor,
            halted=desk.halted,
        ),
    ),
    "tokens.revoke": _ending(
        revocation.RevokeToken,
        lambda request, desk, actor: revocation.revoke_token(
            request, store=desk.store, signer=desk.signer, clock=desk.clock, actor=actor
        ),
    ),
}

_AUDIT: Final = {
    "audit.tail": _act(audit.TailAudit, lambda request, desk, _: audit.tail_audit(request, store=desk.store)),
    "audit.verify": Act(
        request=audit.VerifyAudit,
        perform=lambda request, desk, _: audit.verify_audit(
            request, store=desk.store, issuer=desk.issuer, audit_key=desk.audit_key
        ),
        maximum_bytes=audit.MAXIMUM_ANCHORS_BYTES,
    ),
    "audit.anchor": _act(
        NoMembers,
        lambda _request, desk, _actor: audit.anchor_audit(
            store=desk.store, issuer=desk.issuer, audit_key=desk.audit_key, clock=desk.clock
        ),
    ),
}

_KEYS: Final = {
    "keys.list": _act(
        NoMembers, lambda _request, desk, _actor: key_admin.list_keys(desk=desk.keys, readers=desk.readers)
    ),
    "keys.rotate": _act(
        key_admin.RotateKeys,
        lambda request, desk, actor: key_admin.rotate_keys(request, desk=desk.keys, actor=actor),
    ),
    "keys.rotate_symmetric_secret": _act(
        symmetric_secret.RotateSymmetricSecret,
        lambda request, desk, actor: symmetric_secret.rotate_symmetric_secret(
            request, desk=desk.keys, readers=desk.readers, actor=actor
        ),
    ),
    "keys.rewrap": _act(
        master_key.RewrapKeys,
        lambda request, desk, actor: master_key.rewrap_keys(request, desk=desk.keys, actor=actor),
    ),
    "keys.revoke": _ending(
        key_admin.RevokeKey,
        lambda request, desk, actor: key_admin.revoke_key(request, desk=desk.keys, actor=actor),
    ),
}

_STORE: Final = {
    "status": _act(
        NoMembers,
        lambda _request, desk, _actor: store_state.read_status(store=desk.store, issuer=desk.issuer, clock=desk.clock),
    ),
    "backup": _act(
        store_state.BackUpStore,
        lambda request, desk, actor: store_state.back_up_store(
            request, store=desk.store, key_folders=desk.key_folders, clock=desk.clock, actor=actor
        ),
    ),
    "recover": _act(
        NoMembers,
        lambda _request, desk, actor: store_state.recover_store(
            store=desk.store,
            remember=desk.remember,
            clock=desk.clock,
            randomness=desk.randomness,
            actor=actor,
        ),
    ),
}

ACTS: Final[Mapping[str, Act]] = {**_USERS, **_CLIENTS, **_APIS, **_SESSIONS, **_TOKENS, **_AUDIT, **_KEYS, **_STORE}
"""Every act that the operator has."""
