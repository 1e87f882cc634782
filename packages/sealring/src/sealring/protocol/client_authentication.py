"""How a client or an API proves who it is (RFC 6749 §2.3): exactly one method per request."""

import binascii
from base64 import b64decode
from urllib.parse import unquote_to_bytes

import msgspec

from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.secret import Secret

_MAXIMUM_HEADER = 2048


class ClientSecretBasic(msgspec.Struct, frozen=True, kw_only=True):
    """An id with its secret, from the Authorization header."""

    client_id: str
    client_secret: Secret


class NoSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A public client: it only says who it is."""

    client_id: str


ClientCredentials = ClientSecretBasic | NoSecret


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
