"""What the doors have in common: a verifier, what is demanded of a request, and what a refusal is answered with."""

from collections.abc import Sequence
from typing import Final, Self, Unpack

import msgspec

from sealring_verify import verifier
from sealring_verify.bearer import bearer_token, checked_realm, checked_scopes, refusal_headers
from sealring_verify.claims import AccessToken
from sealring_verify.errors import InvalidToken, TokenRefused
from sealring_verify.protected_resource import (
    parse_resource,
    resource_metadata,
    resource_metadata_path,
    resource_metadata_url,
)
from sealring_verify.several_issuers import SeveralIssuers
from sealring_verify.step_up import StepUp, parse_step_up
from sealring_verify.verifier_options import VerifierOptions, options_from_environment
from sealring_verify.verifier_status import VerifierStatus

AnyVerifier = verifier.Verifier | SeveralIssuers

# On each function and class that demands a token, so that a list of routes can tell which lack it. It survives
# functools.wraps, as `__dict__` does.
DEMANDS_TOKEN: Final = "sealring_demands_token"


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation demands of a token, besides being good."""

    scopes: frozenset[str]
    step_up: StepUp | None


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What a request shows of a token: all Authorization headers, whether its query names one, the caller's address."""

    authorization: Sequence[str]
    in_query: bool
    client_address: str | None


class Door:
    """A verifier with what its challenges say besides; each framework's `Verifier` is one.

    It takes what `sealring_verify.Verifier` takes. `resource` is the API's address as RFC 9728 §1.2 has it: with it
    each challenge names the metadata document, which the door then has to serve. `realm` stands in each challenge (RFC
    9110 §11.5). What makes no sense is a ValueError here.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        resource: str | None = None,
        realm: str | None = None,
        **options: Unpack[VerifierOptions],
    ) -> None:
        self._open(verifier.Verifier(issuer, audience, **options), resource, realm)

    @classmethod
    def from_environment(cls, *, resource: str | None = None, realm: str | None = None) -> Self:
        """Make one from the environment, as `sealring_verify.Verifier.from_environment` does."""
        issuer, audience, options = options_from_environment()
        return cls(issuer, audience, resource=resource, realm=realm, **options)

    @classmethod
    def around(cls, core: AnyVerifier, *, resource: str | None = None, realm: str | None = None) -> Self:
        """Make one around a verifier that exists already: one that other doors share, or of several issuers."""
        door = cls.__new__(cls)
        door._open(core, resource, realm)  # noqa: SLF001 - what __init__ would do, with a verifier at hand
        return door

    def _open(self, core: AnyVerifier, resource: str | None, realm: str | None) -> None:
        self.core: AnyVerifier = core
        self.resource = None if resource is None else parse_resource(resource)
        self._realm = checked_realm(realm)
        self._scopes: set[str] = set()

    def status(self) -> VerifierStatus:
        """Say what this verifier knows, for a health page; it fetches nothing."""
        return self.core.status()

    def demand(self, scopes: Sequence[str], acr: str | Sequence[str], max_age: int | None) -> Demand:
        """Read what `require` was told. ValueError for what is no scope, no acr, no number of seconds."""
        demand = Demand(scopes=checked_scopes(scopes), step_up=parse_step_up(acr, max_age))
        self._scopes |= demand.scopes
        return demand

    def admit(self, arrival: Arrival, demand: Demand) -> AccessToken:
        """Judge a request; it may wait for the network. Raises TokenRefused, and has counted it for the report."""
        token = self.presented_token(arrival)
        return self.core.verify(
            token, scopes=demand.scopes, step_up=demand.step_up, client_address=arrival.client_address
        )

    async def admit_async(self, arrival: Arrival, demand: Demand) -> AccessToken:
        """Judge a request as `admit` does, without ever blocking the event loop."""
        token = self.presented_token(arrival)
        return await self.core.verify_async(
            token, scopes=demand.scopes, step_up=demand.step_up, client_address=arrival.client_address
        )

    def presented_token(self, arrival: Arrival) -> str:
        """Take the token that a request brings. Raises InvalidRequest, InvalidToken, and has counted it."""
        try:
            return bearer_token(arrival.authorization, other_transport=arrival.in_query)
        except TokenRefused as refusal:
            self.core.count_refusal(refusal, client_address=arrival.client_address)
            raise

    def refusal_headers(self, refusal: TokenRefused) -> dict[str, str]:
        """Give all headers of the answer to a refused request."""
        metadata = None if self.resource is None else resource_metadata_url(self.resource)
        return refusal_headers(refusal, realm=self._realm, resource_metadata=metadata)

    def bare_challenge(self) -> str:
        """Write the challenge to who brought no token."""
        return self.refusal_headers(InvalidToken("token_missing"))["WWW-Authenticate"]

    def metadata_path(self) -> str:
        """Say where the metadata document has to be served. ValueError where the door was told no `resource`."""
        if self.resource is None:
            raise ValueError("name this API's address: resource='https://api.example.com/orders'")
        return resource_metadata_path(self.resource)

    def metadata(self) -> dict[str, object]:
        """Give the members of the metadata document (RFC 9728 §2), with all scopes demanded so far."""
        assert self.resource is not None  # noqa: S101 - metadata_path was asked before
        return resource_metadata(self.resource, issuers=self.core.authorization_servers, scopes=frozenset(self._scopes))
