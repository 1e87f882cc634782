"""The one table of the operator's acts: name → what it takes, and the service that does it.

The command line, and whoever else may open the control socket, know an act by its name here.
"""

from collections.abc import Mapping
from typing import Final

from sealring.admin.act import Act, Done, NoMembers, ending_act, plain_act
from sealring.protocol.api_registration import ApiChange, ApiRegistration
from sealring.protocol.client_registration import ClientChange, ClientRegistration
from sealring.protocol.gate_registration import GateChange, GateRegistration
from sealring.protocol.initial_access_token import MakeInitialAccessToken
from sealring.services import (
    administrator,
    api,
    audit,
    client,
    gate_registration,
    initial_access_token,
    key_admin,
    master_key,
    revocation,
    session_admin,
    store_state,
    symmetric_secret,
    token_admin,
    user,
)
from sealring.services.desk import Desk


def _add_user(request: user.AddUser, desk: Desk, actor: str) -> Done:
    return user.add_user(
        request,
        store=desk.store,
        hashing=desk.hashing,
        password_policy=desk.password_policy,
        clock=desk.clock,
        randomness=desk.randomness,
        actor=actor,
    )


def _set_password(request: user.SetPassword, desk: Desk, actor: str) -> Done:
    return user.set_password(
        request,
        store=desk.store,
        hashing=desk.hashing,
        password_policy=desk.password_policy,
        clock=desk.clock,
        actor=actor,
    )


def _set_user_disabled(*, disabled: bool) -> Act:
    return ending_act(
        user.UserNamed,
        lambda request, desk, actor: user.set_user_disabled(
            request, disabled=disabled, store=desk.store, clock=desk.clock, actor=actor
        ),
    )


def _set_client_disabled(*, disabled: bool) -> Act:
    return ending_act(
        client.ClientNamed,
        lambda request, desk, actor: client.set_client_disabled(
            request, disabled=disabled, store=desk.store, clock=desk.clock, actor=actor
        ),
    )


def _make_link(_request: NoMembers, desk: Desk, actor: str) -> Done:
    return administrator.make_administrator_link(
        store=desk.store, issuer=desk.issuer, clock=desk.clock, randomness=desk.randomness, actor=actor
    )


_USERS: Final = {
    "users.add": plain_act(user.AddUser, _add_user),
    "users.list": plain_act(user.ListUsers, lambda request, desk, _: user.list_users(request, store=desk.store)),
    "users.show": plain_act(user.UserNamed, lambda request, desk, _: user.find_user(request.user, store=desk.store)),
    "users.disable": _set_user_disabled(disabled=True),
    "users.enable": _set_user_disabled(disabled=False),
    "users.delete": ending_act(
        user.UserNamed,
        lambda request, desk, actor: user.delete_user(request, store=desk.store, clock=desk.clock, actor=actor),
    ),
    "users.set_password": ending_act(user.SetPassword, _set_password),
    "users.set_roles": plain_act(
        user.SetRoles,
        lambda request, desk, actor: user.set_roles(request, store=desk.store, clock=desk.clock, actor=actor),
    ),
    "users.set_claims": plain_act(
        user.SetClaims,
        lambda request, desk, actor: user.set_claims(request, store=desk.store, clock=desk.clock, actor=actor),
    ),
    "users.link": plain_act(NoMembers, _make_link),
}

_CLIENTS: Final = {
    "clients.add": plain_act(
        ClientRegistration,
        lambda request, desk, actor: client.add_client(
            request, store=desk.store, keys=desk.keys, clock=desk.clock, randomness=desk.randomness, actor=actor
        ),
    ),
    "clients.list": plain_act(NoMembers, lambda _request, desk, _actor: client.list_clients(store=desk.store)),
    "clients.show": plain_act(
        client.ClientNamed, lambda request, desk, _: client.show_client(request, store=desk.store)
    ),
    "clients.update": plain_act(
        ClientChange,
        lambda request, desk, actor: client.update_client(
            request, store=desk.store, keys=desk.keys, issuer=desk.issuer, clock=desk.clock, actor=actor
        ),
    ),
    "clients.rotate_secret": ending_act(
        client.RotateClientSecret,
        lambda request, desk, actor: client.rotate_client_secret(
            request, store=desk.store, clock=desk.clock, randomness=desk.randomness, actor=actor
        ),
    ),
    "clients.disable": _set_client_disabled(disabled=True),
    "clients.enable": _set_client_disabled(disabled=False),
    "clients.delete": ending_act(
        client.ClientNamed,
        lambda request, desk, actor: client.delete_client(request, store=desk.store, clock=desk.clock, actor=actor),
    ),
}

_APIS: Final = {
    "apis.add": plain_act(
        ApiRegistration,
        lambda request, desk, actor: api.add_api(
            request, store=desk.store, keys=desk.keys, clock=desk.clock, randomness=desk.randomness, actor=actor
        ),
    ),
    "apis.list": plain_act(
        NoMembers,
        lambda _request, desk, _actor: api.list_apis(store=desk.store, readers=desk.readers, clock=desk.clock),
    ),
    "apis.show": plain_act(
        api.ApiNamed,
        lambda request, desk, _: api.show_api(request, store=desk.store, readers=desk.readers, clock=desk.clock),
    ),
    "apis.update": plain_act(
        ApiChange,
        lambda request, desk, actor: api.update_api(
            request, store=desk.store, keys=desk.keys, issuer=desk.issuer, clock=desk.clock, actor=actor
        ),
    ),
    "apis.rotate_secret": plain_act(
        api.ApiNamed,
        lambda request, desk, actor: api.rotate_api_secret(
            request, store=desk.store, clock=desk.clock, randomness=desk.randomness, actor=actor
        ),
    ),
    "apis.delete": plain_act(
        api.ApiNamed,
        lambda request, desk, actor: api.delete_api(
            request, store=desk.store, keys=desk.keys, issuer=desk.issuer, clock=desk.clock, actor=actor
        ),
    ),
}

_GATES: Final = {
    "gates.add": plain_act(
        GateRegistration,
        lambda request, desk, actor: gate_registration.add_gate(
            request, store=desk.store, clock=desk.clock, randomness=desk.randomness, actor=actor
        ),
    ),
    "gates.list": plain_act(NoMembers, lambda _request, desk, _actor: gate_registration.list_gates(store=desk.store)),
    "gates.update": plain_act(
        GateChange,
        lambda request, desk, actor: gate_registration.update_gate(
            request, store=desk.store, clock=desk.clock, actor=actor
        ),
    ),
    "gates.rotate_key": plain_act(
        gate_registration.GateNamed,
        lambda request, desk, actor: gate_registration.rotate_gate_key(
            request, store=desk.store, clock=desk.clock, randomness=desk.randomness, actor=actor
        ),
    ),
    "gates.remove": ending_act(
        gate_registration.GateNamed,
        lambda request, desk, actor: gate_registration.remove_gate(
            request, store=desk.store, clock=desk.clock, actor=actor
        ),
    ),
}

_INITIAL_ACCESS_TOKENS: Final = {
    "initial_access_tokens.make": plain_act(
        MakeInitialAccessToken,
        lambda request, desk, actor: initial_access_token.make_initial_access_token(
            request, store=desk.store, clock=desk.clock, randomness=desk.randomness, actor=actor
        ),
    ),
    "initial_access_tokens.list": plain_act(
        NoMembers, lambda _request, desk, _actor: initial_access_token.list_initial_access_tokens(store=desk.store)
    ),
    "initial_access_tokens.delete": plain_act(
        initial_access_token.InitialAccessTokenNamed,
        lambda request, desk, actor: initial_access_token.delete_initial_access_token(
            request, store=desk.store, clock=desk.clock, actor=actor
        ),
    ),
}

_SESSIONS: Final = {
    "sessions.list": plain_act(
        session_admin.ListSessions,
        lambda request, desk, _: session_admin.list_sessions(request, store=desk.store, clock=desk.clock),
    ),
    "sessions.end": ending_act(
        session_admin.EndSessions,
        lambda request, desk, actor: session_admin.end_sessions(
            request, store=desk.store, clock=desk.clock, actor=actor
        ),
    ),
}

_TOKENS: Final = {
    "tokens.issue": plain_act(
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
    "tokens.revoke": ending_act(
        revocation.RevokeToken,
        lambda request, desk, actor: revocation.revoke_token(
            request, store=desk.store, signer=desk.signer, clock=desk.clock, actor=actor
        ),
    ),
}

_AUDIT: Final = {
    "audit.tail": plain_act(audit.TailAudit, lambda request, desk, _: audit.tail_audit(request, store=desk.store)),
    "audit.verify": Act(
        request=audit.VerifyAudit,
        perform=lambda request, desk, _: audit.verify_audit(
            request, store=desk.store, issuer=desk.issuer, audit_key=desk.audit_key
        ),
        maximum_bytes=audit.MAXIMUM_ANCHORS_BYTES,
    ),
    "audit.anchor": plain_act(
        NoMembers,
        lambda _request, desk, _actor: audit.anchor_audit(
            store=desk.store, issuer=desk.issuer, audit_key=desk.audit_key, clock=desk.clock
        ),
    ),
}

_KEYS: Final = {
    "keys.list": plain_act(
        NoMembers, lambda _request, desk, _actor: key_admin.list_keys(desk=desk.keys, readers=desk.readers)
    ),
    "keys.rotate": plain_act(
        key_admin.RotateKeys,
        lambda request, desk, actor: key_admin.rotate_keys(request, desk=desk.keys, actor=actor),
    ),
    "keys.rotate_symmetric_secret": plain_act(
        symmetric_secret.RotateSymmetricSecret,
        lambda request, desk, actor: symmetric_secret.rotate_symmetric_secret(
            request, desk=desk.keys, readers=desk.readers, actor=actor
        ),
    ),
    "keys.rewrap": plain_act(
        master_key.RewrapKeys,
        lambda request, desk, actor: master_key.rewrap_keys(request, desk=desk.keys, actor=actor),
    ),
    "keys.revoke": ending_act(
        key_admin.RevokeKey,
        lambda request, desk, actor: key_admin.revoke_key(request, desk=desk.keys, actor=actor),
    ),
}

_STORE: Final = {
    "status": plain_act(
        NoMembers,
        lambda _request, desk, _actor: store_state.read_status(store=desk.store, issuer=desk.issuer, clock=desk.clock),
    ),
    "backup": plain_act(
        store_state.BackUpStore,
        lambda request, desk, actor: store_state.back_up_store(
            request, store=desk.store, key_folders=desk.key_folders, clock=desk.clock, actor=actor
        ),
    ),
    "recover": plain_act(
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

ACTS: Final[Mapping[str, Act]] = {
    **_USERS,
    **_CLIENTS,
    **_APIS,
    **_GATES,
    **_INITIAL_ACCESS_TOKENS,
    **_SESSIONS,
    **_TOKENS,
    **_AUDIT,
    **_KEYS,
    **_STORE,
}
"""Every act that the operator has."""
