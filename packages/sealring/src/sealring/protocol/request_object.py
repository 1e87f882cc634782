"""Authorization requests that a client signed, and of which the browser brings the address (RFC 9101). Pure.

What the object says is the whole request: nothing that stands beside it in the browser's address counts, or a person
could be sent with half a request of somebody else's making.
"""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from sealring.protocol.authorization_request import Parameters
from sealring.protocol.client import Client
from sealring.protocol.client_assertion import (
    ASSERTION_ALGORITHMS,
    CLOCK_SKEW_SECONDS,
    NoKeyFits,
    chosen_algorithms,
    read_client_keys,
    read_seconds,
)
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring_verify.errors import InvalidToken
from sealring_verify.jose import base64url
from sealring_verify.jose.header import parse_header
from sealring_verify.jose.json_object import parse_json_object
from sealring_verify.jose.jws import verify_compact

REQUEST_OBJECT_ALGORITHMS: Final = ASSERTION_ALGORITHMS
_TYPES: Final = frozenset({None, "jwt", "oauth-authz-req+jwt"})
_OF_THE_JWT: Final = frozenset({"iss", "aud", "exp", "iat", "nbf", "jti", "sub"})


def is_unsigned(text: str) -> bool:
    """Say whether an object says of itself that nobody signed it (`alg` none)."""
    try:
        return parse_header(base64url.decode(text.partition(".")[0].encode())).alg == "none"
    except (ValueError, InvalidToken):
        return False


def decide_request_object(
    text: str, *, document: bytes, client: Client, issuer: str, now: Instant
) -> Parameters | NoKeyFits | OAuthError:
    """Say what a client's request object asks for: the parameters of an authorization request.

    `document`: the client's JWK set. Refused as `invalid_request_object`: what the client did not sign, what is for
    another server, too old, or no request. ValueError where the document is no JWK set.
    """
    registered = None if client.code_flow is None else client.code_flow.request_object_signing_alg
    keys = read_client_keys(document, registered)
    try:
        verified = verify_compact(text, keys=keys, algorithms=chosen_algorithms(registered))
        claims = parse_json_object(verified.payload)
    except InvalidToken as refused:
        unknown = refused.code in {"unknown_key", "bad_signature"}
        return NoKeyFits() if unknown else _refuse("its signature, or its form, is not one that is taken here")
    except ValueError:
        return _refuse("its payload is no JSON object")
    problem = (
        _type_problem(verified.header.typ)
        or _party_problem(claims, client.client_id, issuer=issuer)
        or _time_problem(claims, now=now)
    )
    return _read_parameters(claims, client.client_id) if problem is None else _refuse(problem)


def _type_problem(typ: str | None) -> str | None:
    kind = None if typ is None else typ.lower().removeprefix("application/")
    return None if kind in _TYPES else "typ must be oauth-authz-req+jwt"


def _party_problem(claims: Mapping[str, object], client_id: str, *, issuer: str) -> str | None:
    audience = claims.get("aud", issuer)
    named: Collection[object] = audience if isinstance(audience, list) else [audience]
    if issuer not in named:
        return "aud must be the issuer"
    if claims.get("iss", client_id) != client_id or claims.get("client_id", client_id) != client_id:
        return "iss and client_id must be the client's"
    return None


def _time_problem(claims: Mapping[str, object], *, now: Instant) -> str | None:
    at = now / 1000
    for name in ("exp", "nbf", "iat"):
        if name in claims and read_seconds(claims[name]) is None:
            return f"{name} must be a number of seconds"
    if "exp" in claims and (read_seconds(claims["exp"]) or 0) <= at:
        return "it has expired"
    if any((read_seconds(claims.get(name)) or 0) > at + CLOCK_SKEW_SECONDS for name in ("nbf", "iat")):
        return "it is from the future"
    return None


def _read_parameters(claims: Mapping[str, object], client_id: str) -> Parameters | OAuthError:
    parameters: dict[str, tuple[str, ...]] = {"client_id": (client_id,)}
    for name, value in claims.items():
        if name in {"request", "request_uri"}:
            return _refuse(f"{name} cannot stand in it")
        if name in _OF_THE_JWT or name == "client_id":
            continue
        values = tuple(map(_read_value, value if name == "resource" and isinstance(value, list) else [value]))
        if any(each is None for each in values):
            return _refuse(f"{name[:64]} has a value that it cannot have")
        parameters[name] = tuple(each for each in values if each)
    return {name: values for name, values in parameters.items() if values}


def _read_value(value: object) -> str | None:
    if isinstance(value, dict):  # `claims`, which is JSON in a query too
        return msgspec.json.encode(value).decode()
    if isinstance(value, int) and not isinstance(value, bool):  # `max_age`
        return str(value)
    return value if isinstance(value, str) else None


def _refuse(problem: str) -> OAuthError:
    return refuse("invalid_request_object", description=f"The request object is not valid: {problem}.")
