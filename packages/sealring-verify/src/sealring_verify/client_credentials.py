"""Access tokens in a client's own name (RFC 6749 §4.4) from the client's side, pure: the request and the answer."""

import base64
import re
from urllib.parse import quote_plus, urlencode

import msgspec

from sealring_verify.errors import TokenUnavailable
from sealring_verify.jose.json_object import parse_json_object

# RFC 6750 §2.1: what may stand behind Bearer. Longer ones are refused by every verifier of ours.
_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_MAX_TOKEN_LENGTH = 16 * 1024
_MAX_LIFETIME = 366 * 86_400
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}(?: [\x21\x23-\x5b\x5d-\x7e]{1,128}){0,63}")
_WORD = re.compile(r"[a-z_]{1,64}")
_REFUSALS = {
    "invalid_client": "client_authentication_failed",
    "invalid_scope": "scope_refused",
    "invalid_target": "audience_refused",
}


class ClientCredentialsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One form POST, ready to be sent to the token endpoint. Its repr shows no credential."""

    authorization: str
    body: bytes
    scope: frozenset[str]

    def __repr__(self) -> str:
        return "ClientCredentialsRequest(…)"


class GrantedToken(msgspec.Struct, frozen=True, kw_only=True):
    """An access token and how long it lives, in seconds. Its repr does not show it."""

    access_token: str
    expires_in: int

    def __repr__(self) -> str:
        return f"GrantedToken(expires_in={self.expires_in})"


def client_credentials_request(
    *, client_id: str, client_secret: str, audience: str, scope: str
) -> ClientCredentialsRequest:
    """Ask for a token of the API `audience` (RFC 8707): HTTP Basic, both halves form-encoded first (RFC 6749 §2.3.1).

    `scope`: one or more, single spaces between. ValueError, which never quotes the secret, for what nobody can send.
    """
    for name, value in (("client_id", client_id), ("client_secret", client_secret), ("audience", audience)):
        if not value or value != value.strip() or not value.isprintable():
            raise ValueError(f"{name} must be a text without control characters or spaces around it")
    # Five texts in a row are easily swapped, and neither an id nor an audience is kept out of messages.
    if client_id.startswith("slc_") or audience.startswith("slc_"):
        raise ValueError("the client secret stands where client_id or audience should")
    if not _SCOPE.fullmatch(scope):
        raise ValueError("scope must name one or more scopes, with single spaces between")
    credential = f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()
    form = {"grant_type": "client_credentials", "scope": scope, "resource": audience}
    return ClientCredentialsRequest(
        authorization="Basic " + base64.b64encode(credential).decode(),
        body=urlencode(form).encode(),
        scope=frozenset(scope.split(" ")),
    )


def parse_client_credentials_response(
    status: int, body: bytes, *, scope: frozenset[str]
) -> GrantedToken | TokenUnavailable:
    """Read the token endpoint's answer (RFC 6749 §5): a token that carries all of `scope`, or why there is none.

    The refusal is a value, for whoever waits to raise; nothing of the answer but its two words gets into it.
    """
    try:
        members = parse_json_object(body)
    except ValueError:
        members = {}
    if status != 200:
        return _refusal(status, members)
    token, token_type, lifetime = (members.get(name) for name in ("access_token", "token_type", "expires_in"))
    # Without a scope in the answer, what was asked for is what was granted (§5.1).
    granted = members.get("scope", " ".join(scope))
    if (
        not isinstance(token, str)
        or len(token) > _MAX_TOKEN_LENGTH
        or not _B64TOKEN.fullmatch(token)
        or not isinstance(token_type, str)
        or token_type.lower() != "bearer"
        or not isinstance(lifetime, int)
        or isinstance(lifetime, bool)
        or not 0 < lifetime <= _MAX_LIFETIME
        or not isinstance(granted, str)
    ):
        return TokenUnavailable("token_response_invalid")
    missing = scope - frozenset(granted.split(" "))
    if missing:
        return TokenUnavailable(
            "scope_not_granted", f"The issuer granted less than was asked for; missing: {' '.join(sorted(missing))}."
        )
    return GrantedToken(access_token=token, expires_in=lifetime)


def _refusal(status: int, members: dict[str, object]) -> TokenUnavailable:
    error, code = (_word(members.get(name)) for name in ("error", "code"))
    if status >= 500 or status == 429 or error == "temporarily_unavailable":
        return TokenUnavailable("issuer_unreachable", f"The token endpoint answered {status}{_said(error, code)}.")
    known = _REFUSALS.get(error or "", "client_authentication_failed" if status == 401 else "token_request_refused")
    said = f" (the token endpoint answered {status}{_said(error, code)})"
    return TokenUnavailable(known, TokenUnavailable(known).message + said)


def _word(value: object) -> str | None:
    # Whatever else stands there could be the request come back, secret and all.
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _said(error: str | None, code: str | None) -> str:
    words = [word for word in (error, code) if word is not None]
    return f": {', '.join(words)}" if words else ""
