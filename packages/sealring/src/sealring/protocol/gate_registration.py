"""What the registration of a gated host must be, and the client that it makes (SECURITY D5)."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from sealring.protocol.client import Client, CodeFlow, Gate
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.scope import scope_text

GATE_SESSION_LIFETIME: Final = Seconds(12 * 3600)
"""How long a person stays signed in at a gated host, if nothing ends it before."""

_HOST: Final = re.compile(r"(?=[a-z0-9.-]{1,200}(?::|$))[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::([1-9][0-9]{0,4}))?")
_LONGEST_NAME: Final = 128  # characters


class GateRegistration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gate to be registered. `api`: whose access tokens pass as bearer tokens; `scopes`: of it, for who signs in."""

    host: str
    name: str | None = None
    api: str | None = None
    scopes: tuple[str, ...] = ()


class GateChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different about a gate; None leaves a member as it is. Without an `api` there are no scopes."""

    host: str
    name: str | None = None
    api: str | None = None
    scopes: tuple[str, ...] | None = None


def gate_client_id(host: str) -> str:
    """Name the client behind a gated host; no host has a `~` in it."""
    return "gate~" + host.replace(":", "~")


def is_gate_host(host: str) -> bool:
    """Say whether a text is a host as browsers name it: lower case, no default port, no address in brackets."""
    match = _HOST.fullmatch(host)
    if match is None or ".." in host:
        return False
    return match[1] is None or (int(match[1]) <= 0xFFFF and int(match[1]) != 443)


def parse_gate_registration(
    request: GateRegistration, *, known: Mapping[str, frozenset[str]], now: Instant
) -> Client | OAuthError:
    """Make the client behind a gated host: a code flow of our own, to its callback alone, asking nobody.

    `known`: API → its scopes.
    """
    if not is_gate_host(request.host):
        return _problem("A host is written as browsers do: app.example.com, or app.example.com:8443, in lower case.")
    client = Client(
        client_id=gate_client_id(request.host),
        name=request.host,
        type="confidential",
        allowed={},
        idle_lifetime=GATE_SESSION_LIFETIME,
        absolute_lifetime=GATE_SESSION_LIFETIME,
        code_flow=CodeFlow(
            redirect_uris=(f"https://{request.host}/.sealring/callback",),
            consent="skip",
            id_token_signed_response_alg="ES256",
        ),
        gate=Gate(host=request.host),
        # It survives that the host was removed and registered again: what was made before stays ended.
        epoch=now // 1000,
        created_at=now,
    )
    change = GateChange(host=request.host, name=request.name, api=request.api, scopes=request.scopes)
    return parse_gate_change(client, change, known=known)


def parse_gate_change(
    client: Client, request: GateChange, *, known: Mapping[str, frozenset[str]]
) -> Client | OAuthError:
    """Apply a change to the client behind a gated host. `known`: API → its scopes."""
    gate = client.gate
    if gate is None:
        return refuse("unknown_gate")
    api = gate.api if request.api is None else request.api
    scopes = client.allowed.get(gate.api or "", frozenset()) if request.scopes is None else frozenset(request.scopes)
    name = client.name if request.name is None else request.name
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        return _problem("A name has 1 to 128 printable characters.")
    if api is not None and api not in known:
        return refuse("unknown_api")
    strange = scopes - known.get(api or "", frozenset())
    if strange:
        return _problem(f"These are no scopes of the gate's API: {', '.join(sorted(map(repr, strange)))}.")
    allowed = {api: scopes} if api is not None and scopes else {}
    return msgspec.structs.replace(client, name=name, allowed=allowed, gate=Gate(host=gate.host, api=api))


def gate_login_scope(client: Client) -> str:
    """Write the scope that a gate's own log-in asks for: all that the gate is registered for."""
    return scope_text(frozenset({"openid"}).union(*client.allowed.values()))


def _problem(sentence: str) -> OAuthError:
    return refuse("invalid_registration", description=sentence)
