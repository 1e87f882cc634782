"""What the keys of a client's registration must be, by which it proves who it is (RFC 7591 §2)."""

from typing import Final

import msgspec

from sealring.protocol.client import AssertionAlgorithm, AssertionTerms, Client, TokenEndpointAuthMethod
from sealring.protocol.client_assertion import read_client_keys
from sealring.protocol.https_target import parse_target

_LONGEST_JWKS: Final = 16 * 1024  # octets
_PRIVATE: Final = "published with private members"


class MethodChosen(msgspec.Struct, frozen=True, kw_only=True):
    """How a client shall prove who it is; None leaves a member as it is, or has its default."""

    method: TokenEndpointAuthMethod | None
    signing_alg: AssertionAlgorithm | None
    token_endpoint_audience: bool | None


class MethodProblem(msgspec.Struct, frozen=True):
    """Why a client cannot prove itself so: a sentence."""

    sentence: str


def choose_method(client: Client, chosen: MethodChosen) -> Client | MethodProblem:
    """Give a client its one method of authentication; what the method needs is judged by `key_problem`."""
    method = client.token_endpoint_auth_method if chosen.method is None else chosen.method
    if (method == "none") != (client.type == "public"):
        return MethodProblem("A confidential client proves itself and a public one cannot: its method says the other.")
    terms: dict[str, object] = {
        "token_endpoint_auth_signing_alg": chosen.signing_alg,
        "token_endpoint_audience": chosen.token_endpoint_audience,
    }
    named = {name: value for name, value in terms.items() if value is not None}
    if method == "private_key_jwt":
        return msgspec.structs.replace(
            client, assertion=msgspec.structs.replace(client.assertion or AssertionTerms(), **named)
        )
    if any(named.values()):
        return MethodProblem(f"{min(named)} belongs to clients of private_key_jwt.")
    if method == "none":
        return client
    return msgspec.structs.replace(client, secret_method=method, assertion=None)


def key_problem(client: Client) -> str | None:
    """Say in a sentence what is wrong with a client's keys, or that it has none and needs some."""
    if client.jwks is not None and client.jwks_uri is not None:
        return "A client has jwks or jwks_uri, not both (RFC 7591 §2)."
    if client.assertion is not None and client.jwks is None and client.jwks_uri is None:
        return "A client of private_key_jwt needs its public keys: jwks, or a jwks_uri that publishes them."
    if client.jwks_uri is not None and parse_target(client.jwks_uri) is None:
        return "A jwks_uri is an https address without user name or fragment."
    return None if client.jwks is None else _key_set_problem(client.jwks, client.assertion)


def _key_set_problem(jwks: str, terms: AssertionTerms | None) -> str | None:
    if len(jwks.encode()) > _LONGEST_JWKS:
        return f"A client's JWK set has at most {_LONGEST_JWKS} octets."
    alg = None if terms is None else terms.token_endpoint_auth_signing_alg
    try:
        keys = read_client_keys(jwks.encode(), alg)
    except ValueError as problem:
        return f"The JWK set cannot be read: {problem}."
    if any(reason.endswith(_PRIVATE) for reason in keys.skipped):
        return "The JWK set holds a private key: give the public half alone, and take that key for lost."
    if terms is not None and not keys.keys:
        return f"The JWK set has no public key that can sign: {'; '.join(keys.skipped) or 'it is empty'}."
    return None
