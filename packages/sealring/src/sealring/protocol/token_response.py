"""The successful answer of every endpoint that hands out tokens (RFC 6749 §5.1)."""

from typing import Literal

import msgspec


class TokenResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens for a client. `expires_in`: seconds. `refresh_token` is absent where the client gets none.

    `sid`: the session's, None for a token in the client's own name. `id_token`: None where nobody asked for `openid`.
    `device_token`: only after a password, for the next sign-in from the same device.
    """

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str
    refresh_token: str | None = None
    id_token: str | None = None
    sid: str | None = None
    device_token: str | None = None

    def __repr__(self) -> str:
        return f"TokenResponse(sid={self.sid!r}, …)"
