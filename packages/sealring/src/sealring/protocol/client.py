"""Clients: programs that sign people in, and what each of them may ask for (RFC 6749 §2)."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from sealring.protocol.instant import Instant, Seconds

ClientType = Literal["confidential", "public"]
TokenDelivery = Literal["body", "cookie"]
SecretMethod = Literal["client_secret_basic", "client_secret_post"]
TokenEndpointAuthMethod = Literal[SecretMethod, "none"]
PERMISSIONS: Mapping[str, str] = {
    "sessions:create": "open a session for a person that the client has checked itself",
    "sessions:revoke": "end everything that a subject holds",
}


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A registered client.

    `secret_digests`: SHA-256 of its `slc_` secrets, at most two. `allowed`: API identifier → scopes it may ask for.
    `secret_method`: the one way in which a confidential client sends its secret. `client_credentials`: whether it gets
    access tokens in its own name (RFC 6749 §4.4). `refresh`: whether its sessions get refresh tokens. Lifetimes and
    `grace_window` (0–60) are seconds.
    """

    client_id: str
    name: str
    type: ClientType
    secret_digests: tuple[bytes, ...] = ()
    secret_method: SecretMethod = "client_secret_basic"
    first_party: bool = False
    permissions: frozenset[str] = frozenset()
    allowed: Mapping[str, frozenset[str]]
    token_delivery: TokenDelivery = "body"
    origins: frozenset[str] = frozenset()
    client_credentials: bool = False
    refresh: bool = True
    idle_lifetime: Seconds = Seconds(30 * 24 * 3600)
    absolute_lifetime: Seconds = Seconds(90 * 24 * 3600)
    grace_window: Seconds = Seconds(10)
    epoch: int
    disabled_at: Instant | None = None
    created_at: Instant

    @property
    def token_endpoint_auth_method(self) -> TokenEndpointAuthMethod:
        """The one method by which this client proves who it is (RFC 7591 §2)."""
        return "none" if self.type == "public" else self.secret_method
