"""The authorization request, parsed in two steps: faults of the first one are never redirected (RFC 6749 §4.1).

OAuth 2.1 §4.1.1, OpenID Connect Core §3.1.2.1, RFC 8707, RFC 9207.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import parse_qsl

import msgspec

from sealring.protocol.client import Client, client_reach
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.pkce import is_code_challenge
from sealring.protocol.requested_claims import RequestedClaims, parse_requested_claims
from sealring.protocol.scope import Target, decide_target, parse_scope

ResponseMode = Literal["query", "form_post"]
Prompt = Literal["none", "login", "consent", "select_account"]
RESPONSE_MODES: Final[tuple[ResponseMode, ...]] = ("query", "form_post")
PROMPTS: Final = frozenset[str]({"none", "login", "consent", "select_account"})
LONGEST_REQUEST: Final = 5632  # octets, encoded: as an interaction it must fit the 8 KiB line of most proxies
_MOST_PARAMETERS: Final = 64
_LONGEST_ECHO: Final = 1024  # characters of state and nonce
_LONGEST_HINT: Final = 4096
_PRINTABLE: Final = re.compile(r"[^\x00-\x1f\x7f]*")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")

Parameters = Mapping[str, tuple[str, ...]]


class ReturnAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where answers to a request go, once client and redirect URI have proven to belong together."""

    redirect_uri: str
    response_mode: ResponseMode
    state: str | None


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose every parameter is understood. `resources`: as asked; `target`: of the first access token.

    `max_age`: seconds. `requested_claims`: the `claims` parameter as JSON, `claims` what of it decides.
    """

    client_id: str
    address: ReturnAddress
    scope: frozenset[str]
    resources: frozenset[str]
    target: Target
    nonce: str | None
    code_challenge: str | None
    prompt: frozenset[str]
    max_age: int | None
    login_hint: str | None
    id_token_hint: str | None
    acr_values: tuple[str, ...]
    requested_claims: bytes | None
    claims: RequestedClaims


def parse_parameters(encoded: bytes) -> Parameters | OAuthError:
    """Parse a query or a form: name → values; a parameter without a value counts as left out (RFC 6749 §3.1)."""
    if len(encoded) > LONGEST_REQUEST:
        return refuse("request_too_long")
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        return refuse("malformed_form", description="The parameters are not form-encoded UTF-8.")
    parameters: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        if value:
            parameters[name] = (*parameters.get(name, ()), value)
    return parameters


def find_client_id(parameters: Parameters) -> str | OAuthError:
    """Return the one client that a request names."""
    client_id = _one(parameters, "client_id")
    if isinstance(client_id, str) and not _PRINTABLE.fullmatch(client_id):
        return refuse("client_not_registered")
    return client_id


def find_return_address(parameters: Parameters, *, redirect_uri: str) -> ReturnAddress:
    """Say where even faults go. `redirect_uri`: the request's, which has proven to be the client's own.

    A response mode that does not exist is answered by query, a state that cannot be given back whole by none.
    """
    mode, state = parameters.get("response_mode", ()), parameters.get("state", ())
    return ReturnAddress(
        redirect_uri=redirect_uri,
        response_mode="form_post" if mode == ("form_post",) else "query",
        state=state[0] if len(state) == 1 and _is_echoed(state[0]) else None,
    )


def one_redirect_uri(parameters: Parameters) -> str | OAuthError:
    """Return the one redirect URI that a request names."""
    return _one(parameters, "redirect_uri")


def parse_authorization_request(
    parameters: Parameters, client: Client, address: ReturnAddress, *, issuer: str
) -> AuthorizationRequest | OAuthError:
    """Parse the rest of a request of a client of the code flow; what is refused here goes to the return address."""
    return (
        _refuse_shape(parameters)
        or _refuse_challenge(parameters, client)
        or _parse_rest(parameters, client, address, issuer=issuer)
    )


def _one(parameters: Parameters, name: str) -> str | OAuthError:
    values = parameters.get(name, ())
    if len(values) == 1:
        return values[0]
    code = "duplicate_parameter" if values else "missing_parameter"
    return refuse(code, description=f"Send {name} once.")


def _refuse_shape(parameters: Parameters) -> OAuthError | None:
    doubled = [name for name, values in parameters.items() if len(values) > 1 and name != "resource"]
    if doubled:
        return refuse("duplicate_parameter")
    for name in ("request", "request_uri", "registration"):
        if name in parameters:
            return refuse(f"{name}_not_supported")
    response_type = parameters.get("response_type")
    if response_type is None:
        return refuse("missing_parameter", description="Send response_type=code.")
    if response_type != ("code",):
        return refuse("unsupported_response_type")
    if parameters.get("response_mode", ("query",))[0] not in RESPONSE_MODES:
        return refuse("invalid_parameter", description="The response_mode is query or form_post.")
    for name in ("state", "nonce"):
        if not all(_is_echoed(value) for value in parameters.get(name, ())):
            return refuse("invalid_parameter", description=f"{name} has at most 1024 characters, without controls.")
    return None


def _refuse_challenge(parameters: Parameters, client: Client) -> OAuthError | None:
    """A public client always proves that it began the flow, others unless they are exempted (RFC 9700 §2.1.1)."""
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if challenge is None:
        if method is not None:
            return refuse("missing_parameter", description="Send the code_challenge that goes with its method.")
        exempted = client.type == "confidential" and client.code_flow is not None and not client.code_flow.require_pkce
        return None if exempted else refuse("code_challenge_required")
    if method != ("S256",) or not is_code_challenge(challenge[0]):
        return refuse("invalid_parameter", description="The code_challenge is that of the method S256.")
    return None


def _parse_rest(
    parameters: Parameters, client: Client, address: ReturnAddress, *, issuer: str
) -> AuthorizationRequest | OAuthError:
    given = {name: values[0] for name, values in parameters.items()}
    scope = parse_scope(given.get("scope", ""))
    if isinstance(scope, OAuthError):
        return scope
    resources = frozenset(parameters.get("resource", ()))
    target = _find_target(scope, resources, client, issuer=issuer)
    if isinstance(target, OAuthError):
        return target
    prompt = frozenset(given.get("prompt", "").split())
    if not prompt <= PROMPTS or ("none" in prompt and len(prompt) > 1):
        return refuse("invalid_parameter", description="prompt is none alone, or login, consent, select_account.")
    max_age = given.get("max_age")
    if max_age is not None and not _SECONDS.fullmatch(max_age):
        return refuse("invalid_parameter", description="max_age is a whole number of seconds.")
    if any(len(given.get(name, "")) > _LONGEST_HINT for name in ("login_hint", "id_token_hint", "acr_values")):
        return refuse("invalid_parameter", description="A hint is longer than 4096 characters.")
    claims = parse_requested_claims(given["claims"].encode()) if "claims" in given else RequestedClaims()
    if isinstance(claims, OAuthError):
        return claims
    return AuthorizationRequest(
        client_id=client.client_id,
        address=address,
        scope=scope,
        resources=resources or frozenset({target.audience}),
        target=target,
        nonce=given.get("nonce"),
        code_challenge=given.get("code_challenge"),
        prompt=prompt,
        max_age=None if max_age is None else int(max_age),
        login_hint=given.get("login_hint"),
        id_token_hint=given.get("id_token_hint"),
        acr_values=tuple(given.get("acr_values", "").split()),
        requested_claims=given["claims"].encode() if "claims" in given else None,
        claims=claims,
    )


def _find_target(
    scope: frozenset[str], resources: frozenset[str], client: Client, *, issuer: str
) -> Target | OAuthError:
    reach = client_reach(client, issuer=issuer)
    if not resources:
        return decide_target(scope, None, allowed=reach)
    # Several may be granted at once; each token names one of them (RFC 8707 §2.2).
    targets = [decide_target(scope, resource, allowed=reach) for resource in sorted(resources)]
    refusals = [target for target in targets if isinstance(target, OAuthError)]
    return refusals[0] if refusals else targets[0]


def _is_echoed(text: str) -> bool:
    return len(text) <= _LONGEST_ECHO and _PRINTABLE.fullmatch(text) is not None
