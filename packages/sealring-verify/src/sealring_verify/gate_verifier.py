"""The service behind a gate checks that its proxy asked: the issuer's keys, joined with the pure check."""

import time
from collections.abc import Callable

from sealring_verify.errors import InvalidToken
from sealring_verify.gate_assertion import GateAssertion, check_gate_assertion
from sealring_verify.issuer_keys import IssuerKeys
from sealring_verify.issuer_metadata import parse_issuer
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jwks import JwksPolicy
from sealring_verify.verifier_options import checked_leeway


class GateVerifier:
    """Verifies what the gate of one host said (`X-Sealring-Assertion`); any number of threads and loops share one.

    `issuer` is its identifier, exactly; `host` the gated host as it is registered. `leeway` is in seconds, 0 to 300.
    """

    def __init__(
        self,
        issuer: str,
        host: str,
        *,
        leeway: int = 5,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = parse_issuer(issuer)
        self.host = host
        self._leeway = checked_leeway(leeway)
        self._clock = clock
        self._keys = IssuerKeys(self.issuer, monotonic=monotonic, policy=JwksPolicy())

    def verify(self, assertion: str | None, *, method: str, path: str) -> GateAssertion:
        """Say who passed the gate with this very request. `assertion`: the header, None where there is none.

        `method`, `path`: of the request as it arrived; the path percent-encoded, without query. It may wait for the
        network, so a coroutine awaits `verify_async`. Raises InvalidToken, KeysUnavailable.
        """
        present = _present(assertion)
        try:
            return self._check(present, self._keys.obtain(), method=method, path=path)
        except InvalidToken as refusal:
            if refusal.code != "unknown_key":
                raise
            return self._check(present, self._keys.obtain(unknown_key=True), method=method, path=path)

    async def verify_async(self, assertion: str | None, *, method: str, path: str) -> GateAssertion:
        """Do what `verify` does, without blocking the event loop."""
        present = _present(assertion)
        try:
            return self._check(present, await self._keys.obtain_async(), method=method, path=path)
        except InvalidToken as refusal:
            if refusal.code != "unknown_key":
                raise
            keys = await self._keys.obtain_async(unknown_key=True)
            return self._check(present, keys, method=method, path=path)

    def _check(self, assertion: str, keys: KeySet, *, method: str, path: str) -> GateAssertion:
        return check_gate_assertion(
            assertion,
            keys=keys,
            issuer=self.issuer,
            host=self.host,
            method=method,
            path=path,
            leeway=self._leeway,
            now=self._clock(),
        )


def _present(assertion: str | None) -> str:
    if assertion is None:
        raise InvalidToken("assertion_missing")
    return assertion
