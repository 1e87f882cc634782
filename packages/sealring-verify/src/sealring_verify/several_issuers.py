"""One verifier for the tokens of several issuers, as while an API moves from one to another."""

from collections.abc import Collection, Sequence
from typing import Literal, Protocol

import msgspec

from sealring_verify.claims import AccessToken
from sealring_verify.errors import InvalidToken, TokenRefused
from sealring_verify.jose.jws import MAX_TOKEN_LENGTH
from sealring_verify.step_up import StepUp
from sealring_verify.unverified_issuer import unverified_issuer
from sealring_verify.verifier_status import VerifierStatus

_Scopes = Collection[str]
TokenFormat = Literal["signed", "encrypted", "opaque"]


class IssuerVerifier(Protocol):
    """A verifier of one issuer's tokens of one format, as `Verifier` is, which knows this module."""

    @property
    def authorization_servers(self) -> tuple[str, ...]:
        """Its issuer's identifier."""

    @property
    def issuers(self) -> frozenset[str]:
        """All spellings of its issuer."""

    @property
    def token_format(self) -> TokenFormat:
        """The one form of its tokens."""

    def verify(
        self, token: str, *, scopes: _Scopes = (), step_up: StepUp | None = None, client_address: str | None = None
    ) -> AccessToken:
        """Verify a token. Raises TokenRefused."""

    async def verify_async(
        self, token: str, *, scopes: _Scopes = (), step_up: StepUp | None = None, client_address: str | None = None
    ) -> AccessToken:
        """Do what `verify` does, without blocking the event loop."""

    def check_demands(self, access_token: AccessToken, scopes: _Scopes, step_up: StepUp | None = None) -> None:
        """Refuse a verified token that is not enough."""

    def count_refusal(self, refusal: TokenRefused, *, client_address: str | None = None) -> None:
        """Count a request that was refused before this verifier was asked."""

    def status(self) -> VerifierStatus:
        """Say what it knows."""


class SeveralIssuers:
    """Verifiers of several issuers, asked as one is. Each keeps its own keys, policy and memory.

    A token goes to the one whose issuer it claims to be of, and is good only if that one finds it so: no key of one
    issuer is ever tried on a token of another. What claims nothing goes to the one for opaque tokens, if there is one.
    """

    def __init__(self, verifiers: Sequence[IssuerVerifier]) -> None:
        """ValueError where it would be open who a token is meant for."""
        if len(verifiers) < 2:
            raise ValueError("any_of takes two verifiers or more")
        self.verifiers = tuple(verifiers)
        self._signed: dict[str, IssuerVerifier] = {}
        self._others: dict[TokenFormat, IssuerVerifier] = {}
        for verifier in self.verifiers:
            if verifier.token_format == "signed":
                taken = self._signed.keys() & verifier.issuers
                if taken:
                    raise ValueError(f"any_of takes one verifier for the signed tokens of {min(taken)}")
                self._signed |= dict.fromkeys(verifier.issuers, verifier)
            elif self._others.setdefault(verifier.token_format, verifier) is not verifier:
                raise ValueError(f"any_of takes one verifier for {verifier.token_format} tokens")

    @property
    def authorization_servers(self) -> tuple[str, ...]:
        """The issuers' identifiers, in the order of their verifiers (RFC 9728 §2), each once."""
        return tuple(dict.fromkeys(server for verifier in self.verifiers for server in verifier.authorization_servers))

    @property
    def issuers(self) -> frozenset[str]:
        """All that the `iss` of a token may be."""
        return frozenset().union(*(verifier.issuers for verifier in self.verifiers))

    def verify(
        self, token: str, *, scopes: _Scopes = (), step_up: StepUp | None = None, client_address: str | None = None
    ) -> AccessToken:
        """Verify a token as `Verifier.verify` does, with the same refusals."""
        responsible = self._responsible(token, client_address)
        return responsible.verify(token, scopes=scopes, step_up=step_up, client_address=client_address)

    async def verify_async(
        self, token: str, *, scopes: _Scopes = (), step_up: StepUp | None = None, client_address: str | None = None
    ) -> AccessToken:
        """Verify a token as `verify` does, without ever blocking the event loop."""
        responsible = self._responsible(token, client_address)
        return await responsible.verify_async(token, scopes=scopes, step_up=step_up, client_address=client_address)

    def check_demands(self, access_token: AccessToken, scopes: _Scopes, step_up: StepUp | None = None) -> None:
        """Refuse a verified token that is not enough, as `Verifier.check_demands` does."""
        verifier = self._signed.get(access_token.iss) or self.verifiers[0]
        verifier.check_demands(access_token, scopes, step_up)

    def count_refusal(self, refusal: TokenRefused, *, client_address: str | None = None) -> None:
        """Count, for the report to each issuer, a request that was refused before any of them was asked."""
        for verifier in self.verifiers:
            verifier.count_refusal(refusal, client_address=client_address)

    def status(self) -> VerifierStatus:
        """Say what each verifier knows, the first one's and in its `others` those of the rest; nothing is fetched."""
        first, *others = [verifier.status() for verifier in self.verifiers]
        return msgspec.structs.replace(first, others=tuple(others))

    def _responsible(self, token: object, client_address: str | None) -> IssuerVerifier:
        issuer = unverified_issuer(token)
        if issuer is None:
            # Five parts: encrypted, so that only who has the key can say whose it is. Else whoever takes opaque ones;
            # failing that, anybody's refusal says what is wrong with it.
            encrypted = isinstance(token, str) and len(token) <= MAX_TOKEN_LENGTH and token.count(".") == 4
            taker = self._others.get("encrypted") if encrypted else None
            return taker or self._others.get("opaque") or self.verifiers[0]
        found = self._signed.get(issuer)
        if found is not None:
            return found
        # The tokens of an issuer that is asked about each may look like signed ones.
        asking = self._others.get("opaque")
        if asking is not None and issuer in asking.issuers:
            return asking
        refusal = InvalidToken("wrong_issuer", "iss")
        self.count_refusal(refusal, client_address=client_address)
        raise refusal
