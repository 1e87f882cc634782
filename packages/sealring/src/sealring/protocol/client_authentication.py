"""How a client or an API proves who it is (RFC 6749 §2.3): exactly one method per request."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar
from urllib.parse import unquote_to_bytes

import msgspec

from sealring.protocol.client import TokenEndpointAuthMethod
from sealring.protocol.client_assertion import ASSERTION_TYPE, ClientAssertion, parse_client_assertion
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.secret import Secret

_MAXIMUM_HEADER = 2048
_ASSERTION = ("client_assertion", "client_assertion_type")


class ClientSecretBasic(msgspec.Struct, frozen=True, kw_only=True):
    """An id with its secret, from the Authorization header."""

    method: ClassVar[TokenEndpointAuthMethod] = "client_secret_basic"
    client_id: str
    client_secret: Secret


class ClientSecretPost(msgspec.Struct, frozen=True, kw_only=True):
    """An id with its secret, from the form."""

    method: ClassVar[TokenEndpointAuthMethod] = "client_secret_post"
    client_id: str
    client_secret: Secret


class NoSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A public client: it only says who it is."""

    method: ClassVar[TokenEndpointAuthMethod] = "none"
    client_id: str


ClientCredentials = ClientSecretBasic | ClientSecretPost | ClientAssertion | NoSecret


def parse_client_credentials(authorization: str | None, *, client_id: str | None) -> ClientCredentials | OAuthError:
    """Read the client's credentials. `authorization`: the header; `client_id`: from the body.

    Both may name the client, but not two different ones. HTTP Basic holds form-encoded parts (RFC 6749 §2.3.1).
    """
    if authorization is None:
        if client_id is None:
            return refuse("client_authentication_failed", description="Say which client you are.")
        return NoSecret(client_id=client_id)
    basic = parse_basic(authorization)
    if basic is None:
        return refuse("client_authentication_failed", description="The Authorization header is not HTTP Basic.")
    if client_id is not None and client_id != basic.client_id:
        return refuse("several_authentication_methods", description="Header and body name two different clients.")
    return basic


def parse_form_credentials(authorization: str | None, form: Mapping[str, str]) -> ClientCredentials | OAuthError:
    """Read the client's credentials where the body is a form: from the header, a secret or an assertion, or nothing.

    Two methods at once are `invalid_request` (RFC 6749 §2.3), a method that is not offered is `invalid_client`.
    """
    secret = form.get("client_secret")
    asserted = not form.keys().isdisjoint(_ASSERTION)
    if (authorization is not None) + (secret is not None) + asserted > 1:
        return refuse("several_authentication_methods")
    if asserted:
        return _parse_assertion(form)
    client_id = form.get("client_id")
    if secret is None or client_id is None:
        return parse_client_credentials(authorization, client_id=client_id)
    return ClientSecretPost(client_id=client_id, client_secret=Secret(secret))


def _parse_assertion(form: Mapping[str, str]) -> ClientAssertion | OAuthError:
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        return refuse(
            "client_authentication_failed",
            description="client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer.",
        )
    assertion = parse_client_assertion(form.get("client_assertion", ""))
    if assertion is None:
        return refuse("client_authentication_failed", description="client_assertion is not a signed JWT with a sub.")
    if form.get("client_id", assertion.client_id) != assertion.client_id:
        # RFC 7521 §4.2: the client_id MUST identify the same client.
        return refuse("client_authentication_failed", description="client_id is not the sub of the client_assertion.")
    return assertion


# A client sends the same header with every request. No secret is kept that the store could end: what a header says is
# compared with the client's row each time.
@lru_cache(maxsize=1024)
def parse_basic(authorization: str) -> ClientSecretBasic | None:
    """Read an HTTP Basic header of form-encoded parts, or return None where it is not one."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(authorization) > _MAXIMUM_HEADER:
        return None
    try:
        user, separator, password = b64decode(encoded.strip(), validate=True).partition(b":")
        client_id, secret = (_form_decoded(part) for part in (user, password))
    except (binascii.Error, ValueError):
        return None
    if not separator or "\x00" in client_id or "\x00" in secret:
        return None
    return ClientSecretBasic(client_id=client_id, client_secret=Secret(secret))


def _form_decoded(part: bytes) -> str:
    return unquote_to_bytes(part.replace(b"+", b" ")).decode()
