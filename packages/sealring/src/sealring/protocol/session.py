"""First-party sessions: the JSON messages of `/session`, and who may send them (SECURITY D4)."""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from sealring.protocol.access_token import REGISTERED_CLAIMS
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, later
from sealring.protocol.json_object import parse_json_object
from sealring.protocol.scope import parse_scope
from sealring.protocol.secret import Secret

_SUBJECT = re.compile(r"[\x21-\x3f\x41-\x7e]{1,255}")  # printable ASCII without '@': never an e-mail address
_AMR = re.compile(r"[a-z0-9_-]{1,32}")
_DAY = 24 * 3600


class PasswordSessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Sign a person in with name and password; `device_token` may be anything, and only a good one counts."""

    client_id: str | None
    login_name: str
    password: Secret
    device_token: Secret | None
    scope: frozenset[str]
    resource: str | None


class AssertedSessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Open a session for a person whom a trusted back-end has checked itself."""

    client_id: str | None
    subject: str
    auth_time: Instant
    amr: tuple[str, ...]
    claims: Mapping[str, object]
    scope: frozenset[str]
    resource: str | None


class RefreshRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Redeem a refresh token; `scope` and `resource` may narrow. `refresh_token`: None where it comes by cookie."""

    client_id: str | None
    refresh_token: Secret | None
    scope: frozenset[str] | None
    resource: str | None


class EndSessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Log out: the session of this refresh token, None where it comes by cookie."""

    client_id: str | None
    refresh_token: Secret | None


class PasswordChangeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """People change their own password."""

    current_password: Secret
    new_password: Secret


class MfaRequired(msgspec.Struct, frozen=True, kw_only=True):
    """The password was right and a second factor is needed (SECURITY D4): a one-use step, never tokens.

    `step_token`: 5 minutes, bound to client, epoch and browser. `factors`: what the person may use.
    """

    error: Literal["mfa_required"]
    code: Literal["mfa_required"]
    step_token: Secret
    factors: tuple[str, ...]
    expires_in: int


class _SessionMembers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    client_id: str | None = None
    username: str | None = None
    password: str | None = None
    # Whatever it is: a member that proves nothing is no reason to refuse a sign-in.
    device_token: object = None
    subject: str | None = None
    auth_time: int | None = None
    amr: list[str] | None = None
    claims: dict[str, object] | None = None
    scope: str
    resource: str | None = None


class _RefreshMembers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    client_id: str | None = None
    refresh_token: Secret | None = None
    scope: str | None = None
    resource: str | None = None


class _EndMembers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    client_id: str | None = None
    refresh_token: Secret | None = None


class _PasswordMembers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    current_password: str
    new_password: str


def parse_session_request(body: bytes, *, now: Instant) -> PasswordSessionRequest | AssertedSessionRequest | OAuthError:
    """Parse the body of `POST /session`: either `username` and `password`, or `subject`, `auth_time` and `amr`."""
    members = parse_json_object(body, _SessionMembers)
    if isinstance(members, OAuthError):
        return members
    scope = parse_scope(members.scope)
    if isinstance(scope, OAuthError):
        return scope
    if members.username is not None and members.password is not None and _no_assertion(members):
        return PasswordSessionRequest(
            client_id=members.client_id,
            login_name=members.username,
            password=Secret(members.password),
            device_token=Secret(members.device_token) if isinstance(members.device_token, str) else None,
            scope=scope,
            resource=members.resource,
        )
    if members.username is None and members.password is None and members.subject is not None:
        return _parse_assertion(members, members.subject, scope, now=now)
    return refuse("missing_parameter", description="Send username and password, or subject, auth_time and amr.")


def _no_assertion(members: _SessionMembers) -> bool:
    return members.subject is None and members.auth_time is None and members.amr is None and members.claims is None


def _parse_assertion(
    members: _SessionMembers, subject: str, scope: frozenset[str], *, now: Instant
) -> AssertedSessionRequest | OAuthError:
    if members.auth_time is None or not members.amr:
        return refuse("missing_parameter", description="An asserted session needs subject, auth_time and amr.")
    if not is_subject(subject):
        return refuse("invalid_subject")
    # The checking was done by another machine's clock; a minute of disagreement is not a lie.
    if not now - _DAY * 1000 <= members.auth_time * 1000 <= later(now, 60):
        return refuse("invalid_auth_time")
    if len(members.amr) > 8 or not all(_AMR.fullmatch(method) for method in members.amr):
        return refuse("invalid_parameter", description="amr is a list of at most 8 method names (RFC 8176).")
    claims = members.claims or {}
    if claims.keys() & REGISTERED_CLAIMS:
        return refuse("reserved_claim")
    return AssertedSessionRequest(
        client_id=members.client_id,
        subject=subject,
        auth_time=Instant(members.auth_time * 1000),
        amr=tuple(members.amr),
        claims=claims,
        scope=scope,
        resource=members.resource,
    )


def is_subject(text: str) -> bool:
    """Say whether `text` can be a `sub`: 1 to 255 printable ASCII characters without '@'."""
    return _SUBJECT.fullmatch(text) is not None


def parse_refresh_request(body: bytes) -> RefreshRequest | OAuthError:
    """Parse the body of `POST /session/refresh`."""
    members = parse_json_object(body, _RefreshMembers)
    if isinstance(members, OAuthError):
        return members
    scope = None if members.scope is None else parse_scope(members.scope)
    if isinstance(scope, OAuthError):
        return scope
    return RefreshRequest(
        client_id=members.client_id,
        refresh_token=members.refresh_token,
        scope=scope,
        resource=members.resource,
    )


def parse_end_session_request(body: bytes) -> EndSessionRequest | OAuthError:
    """Parse the body of `DELETE /session`."""
    members = parse_json_object(body, _EndMembers)
    if isinstance(members, OAuthError):
        return members
    return EndSessionRequest(client_id=members.client_id, refresh_token=members.refresh_token)


def parse_password_change_request(body: bytes) -> PasswordChangeRequest | OAuthError:
    """Parse the body of `PUT /password`."""
    members = parse_json_object(body, _PasswordMembers)
    if isinstance(members, OAuthError):
        return members
    return PasswordChangeRequest(
        current_password=Secret(members.current_password), new_password=Secret(members.new_password)
    )


def refuse_sender(
    client: Client, *, origin: str | None, from_page: bool, marked: bool, opens: bool
) -> OAuthError | None:
    """Say why this client may not use `/session`, or None (SECURITY D4).

    `origin`: the request's Origin; `from_page`: it carries Origin or Sec-Fetch-Site, so a browser sent it; `marked`: it
    carries `Sealring-Request: 1`; `opens`: it signs somebody in, as first-party clients alone may. A browser needs a
    registered Origin, everything else a confidential client. Where tokens come by cookie, `refuse_page` judges.
    """
    by_cookie = client.token_delivery == "cookie"
    if not client.first_party and (opens or not by_cookie):
        return refuse("client_not_first_party")
    if by_cookie:
        return refuse_page(client, origin=origin, marked=marked)
    if origin is not None and origin in client.origins:
        return None
    if from_page:
        return refuse("origin_required" if origin is None else "origin_not_registered")
    return None if client.type == "confidential" else refuse("confidential_client_required")


def refuse_page(client: Client, *, origin: str | None, marked: bool) -> OAuthError | None:
    """Say why no cookie of this client may be read or written for a request, or None (SECURITY D2).

    Only a page of a registered Origin, compared exactly, can be meant; so Sec-Fetch-Site has nothing to add. `marked`:
    the request carries `Sealring-Request: 1`, which no page of another origin can send without a preflight.
    """
    if origin is None:
        return refuse("origin_required")
    # A sandboxed frame, a data: or file: page, a redirect across origins: anybody can be null.
    if origin == "null" or origin not in client.origins:
        return refuse("origin_not_registered")
    return None if marked else refuse("request_header_required")


def find_refresh_token(
    client: Client, *, in_body: Secret | None, in_cookie: Secret | None
) -> Secret | OAuthError | None:
    """Say which refresh token a request to `/session` presents: that of the place registered for the client.

    None: the browser has no cookie of this client, so nobody is signed in.
    """
    if client.token_delivery == "cookie":
        if in_body is not None:
            return refuse("invalid_parameter", description="This client's refresh token comes by cookie alone.")
        return in_cookie
    return (
        refuse("missing_parameter", description="Send the refresh token as `refresh_token`.")
        if in_body is None
        else in_body
    )
