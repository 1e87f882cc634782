"""Clients: programs that sign people in, and what each of them may ask for (RFC 6749 §2)."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.scope import OPENID_SCOPES

ClientType = Literal["confidential", "public"]
TokenDelivery = Literal["body", "cookie"]
SecretMethod = Literal["client_secret_basic", "client_secret_post"]
TokenEndpointAuthMethod = Literal[SecretMethod, "private_key_jwt", "none"]
AssertionAlgorithm = Literal["ES256", "Ed25519", "EdDSA", "PS256", "RS256"]
ApplicationType = Literal["web", "native"]
IdTokenAlgorithm = Literal["RS256", "ES256", "PS256", "Ed25519"]
PERMISSIONS: Mapping[str, str] = {
    "sessions:create": "open a session for a person that the client has checked itself",
    "sessions:revoke": "end everything that a subject holds",
}


class CodeFlow(msgspec.Struct, frozen=True, kw_only=True):
    """How a client signs people in through the browser (OpenID Connect Dynamic Client Registration 1.0 §2).

    `redirect_uris`: compared exactly. `consent`: "skip" where the operator vouches for the client and nobody is asked.
    `sector_identifier`: the host that pairwise subjects are made for, None where subjects are public.
    `default_max_age`: seconds. `request_uris`: where its signed requests may lie, their fragments aside (RFC 9101).
    """

    redirect_uris: tuple[str, ...]
    application_type: ApplicationType = "web"
    require_pkce: bool = True
    consent: Literal["ask", "skip"] = "ask"
    id_token_signed_response_alg: IdTokenAlgorithm = "RS256"
    userinfo_signed_response_alg: IdTokenAlgorithm | None = None
    sector_identifier: str | None = None
    sector_identifier_uri: str | None = None
    default_max_age: int | None = None
    require_auth_time: bool = False
    default_acr_values: tuple[str, ...] = ()
    request_uris: tuple[str, ...] = ()
    request_object_signing_alg: AssertionAlgorithm | None = None


class ClientLogout(msgspec.Struct, frozen=True, kw_only=True):
    """Where a client's users go after a log-out, and how the client is told of one that began elsewhere."""

    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = False
    frontchannel_logout_uri: str | None = None
    frontchannel_logout_session_required: bool = False


class ClientPages(msgspec.Struct, frozen=True, kw_only=True):
    """What a client shows of itself where people sign in (RFC 7591 §2); `initiate_login_uri`: where log-in begins."""

    client_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    initiate_login_uri: str | None = None
    contacts: tuple[str, ...] = ()


class AssertionTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What the assertions of a client must be, by which it proves who it is (`private_key_jwt`).

    `token_endpoint_auth_signing_alg`: None where each of the algorithms will do. `token_endpoint_audience`: besides the
    issuer as a plain string `aud` may be the token endpoint, or a list with one of the two, as OpenID Connect Core 1.0
    §9 has it; safe where the client speaks to this issuer alone.
    """

    token_endpoint_auth_signing_alg: AssertionAlgorithm | None = None
    token_endpoint_audience: bool = False


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A host that a proxy guards by asking us. `host`: as browsers name it, with its port where that is not 443.

    `api`: whose access tokens pass there as bearer tokens; None where none do.
    """

    host: str
    api: str | None = None


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A registered client.

    `secret_digests`: SHA-256 of its `slc_` secrets, at most two. `allowed`: API identifier → scopes it may ask for.
    `secret_method`: the one way in which a confidential client sends its secret. `client_credentials`: whether it gets
    access tokens in its own name (RFC 6749 §4.4). `refresh`: whether its sessions get refresh tokens. `code_flow`:
    None where people do not sign in to it by /authorize. `jwks`: public keys as JSON. `registration_token_digest`: of
    the access token with which a client that registered itself manages its registration (RFC 7592). Lifetimes and
    `grace_window` (0–60) are seconds. `assertion`: of a client that proves itself by its keys and has no secret.
    `gate`: of a gated host, whose code flow is our own and whose secret is the key of its proxy.
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
    code_flow: CodeFlow | None = None
    logout: ClientLogout = ClientLogout()
    pages: ClientPages = ClientPages()
    assertion: AssertionTerms | None = None
    gate: Gate | None = None
    jwks: str | None = None
    jwks_uri: str | None = None
    self_registered: bool = False
    registration_token_digest: bytes | None = None
    epoch: int
    disabled_at: Instant | None = None
    created_at: Instant

    @property
    def token_endpoint_auth_method(self) -> TokenEndpointAuthMethod:
        """The one method by which this client proves who it is (RFC 7591 §2)."""
        if self.type == "public":
            return "none"
        return self.secret_method if self.assertion is None else "private_key_jwt"


def client_reach(client: Client, *, issuer: str) -> Mapping[str, frozenset[str]]:
    """Say which scopes of which API a client may ask for, those of OpenID Connect included where it has the code flow.

    `issuer`: the identifier of the issuer's own API, which owns them.
    """
    if client.code_flow is None:
        return client.allowed
    return {**client.allowed, issuer: client.allowed.get(issuer, frozenset()) | OPENID_SCOPES}
