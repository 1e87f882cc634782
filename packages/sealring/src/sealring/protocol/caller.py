"""Where a request came from, as far as decisions and the audit need to know."""

import msgspec


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """`network`: the address's /24 or /48. `user_agent`: the family, coarse. `country`: two letters.

    `binding_digest`: SHA-256 of the browser binding, None where the client's tokens do not come by cookie.
    """

    network: str
    user_agent: str
    country: str | None = None
    binding_digest: bytes | None = None
