"""The secret that one API shares with Sealring, under which its access tokens are signed by HS256 (SECURITY C3)."""

from typing import Final

import msgspec

from sealring.protocol.secret import Secret

WARNING: Final = (
    "Whoever can verify these tokens can make them: every program and every person that has this secret can be anybody "
    "towards this API. Prefer ES256 (`sealring apis add` without --symmetric), whose verifiers hold no secret."
)


class SymmetricSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh secret, shown this once to whoever gives it to the API.

    `kid`: in the header of each token under it. `symmetric_secret`: `slh_…`, as its verifiers take it
    (`SEALRING_SYMMETRIC_SECRETS`).
    """

    api: str
    kid: str
    symmetric_secret: Secret
    warning: str = WARNING
