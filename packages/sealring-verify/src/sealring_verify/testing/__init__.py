"""A fake issuer for the tests of any API: real tokens, keys and revocation feed on loopback, and a clock that is moved.

    with Issuer("orders") as issuer:
        assert issuer.verifier().verify(issuer.token(scope="orders:read")).sub == "user-1"

`sealring_verify.testing.plugin` has it as pytest fixtures. Nothing here belongs into a program that serves anybody.
"""

from sealring_verify.testing.clock import Clock
from sealring_verify.testing.issuer import Issuer
from sealring_verify.testing.tokens import BadToken

__all__ = ["BadToken", "Clock", "Issuer"]
