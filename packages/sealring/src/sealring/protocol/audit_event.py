"""What the audit remembers: events of a closed list, with the columns that every one of them has (SECURITY F1, F2)."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sealring.protocol.instant import Instant


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that changed or was refused.

    `actor`: `user:<sub>`, `client:<client_id>`, `cli:<os user>` or `sealring`. `outcome`: done | refused.
    `personal` may be erased later and is hashed apart (login names typed, user agents); `details` may not be personal.
    """

    event: str
    at: Instant
    actor: str
    outcome: str = "done"
    code: str | None = None
    sub: str | None = None
    client_id: str | None = None
    sid: str | None = None
    api: str | None = None
    network: str | None = None
    country: str | None = None
    error_id: str | None = None
    details: Mapping[str, str | int] = {}
    personal: Mapping[str, str] = {}


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it stands in the chain of `writer` (one node incarnation) under the number `sequence`."""

    writer: str
    sequence: int
    event: AuditEvent


EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "sign_in": "A person signed in, or was refused (the code says why).",
        "session_asserted": "A trusted back-end opened a session for a person it had checked itself.",
        "consent_given": "A person allowed a client what it asked for.",
        "consent_denied": "A person did not allow a client what it asked for.",
        "consent_withdrawn": "A person took back what they had allowed a client; its sessions of theirs ended.",
        "code_redeemed": "A client redeemed an authorization code: a session was opened.",
        "code_refused": "An authorization code was refused, which changed nothing.",
        "code_replayed": "An authorization code was used a second time: the session that it became was ended.",
        "session_refresh_refused": "A refresh token was refused, which changed nothing.",
        "session_repeated": "A client repeated a refresh whose answer it had lost, and got the same successor.",
        "refresh_shared": "Repeats from two networks in two generations: a refresh token may have two holders.",
        "session_reuse_detected": "A refresh token was used a second time: the session was ended.",
        "store_rollback_detected": "A refresh token is newer than the store, or the store is not the one we knew.",
        "session_ended": "A session was ended.",
        "logout_not_told": "A client could not be told of an ended session, however often it was tried.",
        "sessions_ended": "All sessions of a user, or of everybody, were ended.",
        "subject_revoked": "A trusted back-end ended everything a subject held before now.",
        "password_changed": "A password was set or changed (other sessions ended), or that was refused (see the code).",
        "password_rehashed": "A password hash was brought up to today's parameters at log-in.",
        "user_added": "A user was added.",
        "user_disabled": "A user was disabled; the sessions ended.",
        "user_enabled": "A user was enabled.",
        "user_deleted": "A user was deleted; the sessions ended.",
        "user_changed": "Roles, claims or names of a user were changed.",
        "administrator_link_made": "A one-use link for an administrator was made.",
        "administrator_enrolled": "A one-use link was spent and made an administrator.",
        "client_added": "A client was registered.",
        "client_registered": "A client registered itself.",
        "initial_access_token_made": "The operator made a token that registers clients.",
        "initial_access_token_deleted": "The operator deleted a token that registers clients.",
        "client_changed": "A client's registration was changed.",
        "client_disabled": "A client was disabled; its sessions ended.",
        "client_enabled": "A client was enabled.",
        "client_deleted": "A client was deleted; its sessions ended.",
        "client_secret_rotated": "A client got a new secret.",
        "client_compromised": "A client's secrets were replaced at once; its sessions and tokens ended.",
        "gate_added": "A gated host was registered.",
        "gate_changed": "A gated host's registration was changed.",
        "gate_removed": "A gated host was removed; its sessions ended.",
        "gate_key_rotated": "A gated host's proxy got a new key.",
        "token_issued": "The operator issued an access token by hand.",
        "token_revoked": "One access token was ended by the operator or by its client.",
        "token_revocation_refused": "A client asked to end a live token of another client, which ended nothing.",
        "api_added": "An API was registered.",
        "api_changed": "An API's registration was changed.",
        "api_deleted": "An API was deleted.",
        "api_secret_rotated": "An API got a new secret.",
        "key_added": "A key was made.",
        "key_activated": "A key began to work in the place of the one before.",
        "key_retired": "A key left: nothing alive can have been made under it.",
        "key_withdrawn": "A key was withdrawn at once, with what was made under it.",
        "master_key_changed": "The master key was changed: all keys were sealed under another one.",
        "master_key_settled": "A change of the master key that was interrupted was finished, or put aside.",
        "store_recovered": "The operator made a new incarnation: all sessions ended.",
        "store_backed_up": "The operator made a copy of the database.",
        "store_restored": "The database was replaced by a copy: all sessions ended.",
        "store_migrated": "The store was moved here from another engine; nobody was signed out.",
        "audit_retention_applied": "The oldest events of one run were removed; a signed closing record stays.",
        "node_started": "A node began to serve.",
        "node_stopped": "A node stopped in order.",
    }
)
