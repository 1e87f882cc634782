"""A person's session at a site, pure: what its cookie holds, and what the issuer's answer about it means."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec

from sealring_verify.site.settings import SiteSettings

LASTS: Final = 30 * 86_400  # seconds, for which a browser keeps the cookie; the issuer says how long the session lives


class SiteSession(msgspec.Struct, frozen=True, kw_only=True):
    """What the cookie holds. `id_token`: the hint of a log-out, "" where it would not fit. Its repr shows no token."""

    refresh_token: str
    id_token: str
    user: "User"

    def __repr__(self) -> str:
        return f"SiteSession(user={self.user!r})"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is signed in. `sub` is what a site files its own data under; `claims` are the ID token's."""

    sub: str
    session_id: str | None = None
    name: str | None = None
    email: str | None = None
    email_verified: bool = False
    picture: str | None = None
    claims: Mapping[str, object] = {}

    def __str__(self) -> str:
        """Give the name for a page, or `sub`; never the claims."""
        return self.name or self.sub

    @property
    def is_authenticated(self) -> bool:
        """True: for templates and libraries that ask."""
        return True


class Anonymous(msgspec.Struct, frozen=True):
    """Nobody is signed in."""

    def __str__(self) -> str:
        """Give a word for a page."""
        return "nobody"

    @property
    def is_authenticated(self) -> bool:
        """False: for templates and libraries that ask."""
        return False


class SessionUnknown(Exception):  # noqa: N818 - it reads as what happened
    """The issuer cannot be asked: who was signed in may be so no longer. A 503 with Retry-After, never a page."""

    code: Final = "issuer_unavailable"
    retry_after: Final = 2


def user_of(claims: Mapping[str, object]) -> User:
    """Take what is shown of a person out of the claims of an ID token that was checked."""

    def text(name: str) -> str | None:
        value = claims.get(name)
        return value if isinstance(value, str) else None

    return User(
        sub=str(claims["sub"]),
        session_id=text("sid"),
        name=text("name") or text("preferred_username"),
        email=text("email"),
        email_verified=claims.get("email_verified") is True,
        picture=text("picture"),
        claims={name: value for name, value in claims.items() if name not in {"nonce", "at_hash"}},
    )


def session_lives(status: int, body: bytes) -> bool:
    """Read the introspection endpoint's answer (RFC 7662 §2.2). Raises SessionUnknown for what is no answer."""
    try:
        members = msgspec.json.decode(body, type=dict[str, object]) if status == 200 else {}
    except msgspec.DecodeError:
        members = {}
    active = members.get("active")
    if not isinstance(active, bool):
        raise SessionUnknown
    return active


def log_out_url(settings: SiteSettings, *, id_token: str) -> str:
    """Write the log-out request (OpenID Connect RP-Initiated Logout §2); people come back to the site's `/`."""
    parameters = {"client_id": settings.client_id, "post_logout_redirect_uri": f"{settings.site}/"}
    if id_token:
        parameters["id_token_hint"] = id_token
    return f"{settings.issuer.rstrip('/')}/logout?{urlencode(parameters)}"
