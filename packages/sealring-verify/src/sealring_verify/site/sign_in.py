"""A sign-in by the code flow, pure: what a browser is sent away with, and what its return is worth."""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

import msgspec

from sealring_verify.site.settings import SiteSettings

LIFETIME: Final = 600  # seconds, in which somebody who went to the log-in page may come back
# Whoever has signed in elsewhere is back within a tenth of a second, maybe at another machine whose clock is behind.
_SKEW: Final = 30
_WORD = re.compile(r"[a-z_]{1,64}")
_CODE = re.compile(r"[\x21-\x7e]{1,1024}")
_PATH = re.compile(r"/(?![/\\])[\x21\x23-\x5b\x5d-\x7e]{0,1023}")
# What is shown of a person, asked into the ID token, so that no second question is needed (OpenID Connect Core §5.5).
_CLAIMS: Final = ("name", "preferred_username", "email", "email_verified", "picture")


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that was begun, sealed in a cookie of the browser that began it. `begun_at`: seconds since 1970."""

    state: str
    nonce: str
    code_verifier: str
    return_to: str
    begun_at: int


class Redeem(msgspec.Struct, frozen=True, kw_only=True):
    """The browser brings the code that it was sent for."""

    code: str
    pending: Pending


class SignInRefused(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody is signed in. `code` is stable: the issuer's error, or one of ours."""

    code: str


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What a code was redeemed for; by the refresh token the session is asked about. Its repr shows no token."""

    access_token: str
    refresh_token: str
    id_token: str

    def __repr__(self) -> str:
        return "Granted()"


def begin(*, return_to: str | None, now: float, randomness: Callable[[int], bytes]) -> Pending:
    """Begin a sign-in: 256 random bits each for state, nonce and code_verifier."""

    def drawn() -> str:
        return urlsafe_b64encode(randomness(32)).rstrip(b"=").decode()

    return Pending(
        state=drawn(),
        nonce=drawn(),
        code_verifier=drawn(),
        return_to=safe_path(return_to),
        begun_at=int(now),
    )


def is_page_load(method: str, fetch_mode: str | None) -> bool:
    """Say whether a request may be answered by sending its browser to the log-in page. `fetch_mode`: Sec-Fetch-Mode.

    A picture, a script or a form cannot come back from there, and each would leave the cookie of a sign-in behind.
    """
    return method in {"GET", "HEAD"} and fetch_mode in {None, "navigate"}


def safe_path(return_to: str | None) -> str:
    """Take a path of this site, with its query; `/` for anything that could lead elsewhere."""
    return return_to if return_to is not None and _PATH.fullmatch(return_to) else "/"


def authorization_url(pending: Pending, settings: SiteSettings) -> str:
    """Write the authorization request (OpenID Connect Core §3.1.2.1; PKCE by S256, RFC 7636 §4.3)."""
    challenge = urlsafe_b64encode(sha256(pending.code_verifier.encode()).digest()).rstrip(b"=").decode()
    claims = msgspec.json.encode({"id_token": dict.fromkeys(_CLAIMS)}).decode()
    parameters = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": settings.redirect_uri,
        "scope": settings.scope,
        "state": pending.state,
        "nonce": pending.nonce,
        "claims": claims,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{settings.issuer.rstrip('/')}/authorize?{urlencode(parameters)}"


def judge_return(
    parameters: Mapping[str, Sequence[str]], pending: Pending | None, *, issuer: str, now: float
) -> Redeem | SignInRefused:
    """Say what a return to the callback is worth. `parameters`: of the query, each with all its values.

    In this order: doubled parameters, the browser and its state (RFC 9700 §2.1), the issuer (RFC 9207 §2.4), time, the
    issuer's refusal, the code.
    """
    if any(len(values) != 1 for values in parameters.values()):
        return SignInRefused(code="callback_malformed")
    said = {name: values[0] for name, values in parameters.items()}
    if pending is None or not hmac.compare_digest(said.get("state", "").encode(), pending.state.encode()):
        return SignInRefused(code="state_mismatch")
    if said.get("iss") != issuer:
        return SignInRefused(code="issuer_mismatch")
    if not -_SKEW <= now - pending.begun_at <= LIFETIME:
        return SignInRefused(code="sign_in_expired")
    if "error" in said:
        # Shown on a page, so no more of it than a word.
        return SignInRefused(code=said["error"] if _WORD.fullmatch(said["error"]) else "callback_malformed")
    if not _CODE.fullmatch(said.get("code", "")):
        return SignInRefused(code="callback_malformed")
    return Redeem(code=said["code"], pending=pending)


def token_request(redeem: Redeem, settings: SiteSettings) -> bytes:
    """Write the form that redeems the code (RFC 6749 §4.1.3, RFC 7636 §4.5)."""
    return urlencode(
        {
            "grant_type": "authorization_code",
            "code": redeem.code,
            "redirect_uri": settings.redirect_uri,
            "code_verifier": redeem.pending.code_verifier,
        }
    ).encode()


def parse_granted(status: int, body: bytes) -> Granted | SignInRefused:
    """Read the token endpoint's answer (OpenID Connect Core §3.1.3.3)."""
    if status != 200:
        return SignInRefused(code="code_refused" if 400 <= status < 500 else "issuer_unavailable")
    try:
        return msgspec.json.decode(body, type=Granted)
    except msgspec.DecodeError:
        return SignInRefused(code="code_refused")
