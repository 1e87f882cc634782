"""A site's sign-ins and sessions: the pure rules joined with the network, for any framework."""

import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from sealring_verify.errors import InvalidToken, KeysUnavailable
from sealring_verify.issuer_keys import IssuerKeys
from sealring_verify.jwks import JwksPolicy
from sealring_verify.site.id_token import ALGORITHMS, IdToken, check_id_token
from sealring_verify.site.sealing import cookie_key, seal, unseal
from sealring_verify.site.session import (
    LASTS,
    Anonymous,
    SessionUnknown,
    SiteSession,
    User,
    log_out_url,
    session_lives,
    user_of,
)
from sealring_verify.site.settings import SiteSettings
from sealring_verify.site.sign_in import (
    LIFETIME,
    Granted,
    Pending,
    Redeem,
    SignInRefused,
    authorization_url,
    begin,
    judge_return,
    parse_granted,
    token_request,
)

_log = logging.getLogger("sealring_verify")
_LEEWAY: Final = 30
_UNDER_WAY: Final = 5  # sign-ins in one browser, of which each has a cookie of up to 2 KB


class SetCookie(msgspec.Struct, frozen=True, kw_only=True):
    """A cookie to be written: HttpOnly, SameSite=Lax, Path=/, no Domain. `max_age` in seconds; 0 takes it away."""

    name: str
    value: str
    max_age: int
    secure: bool


class Redirect(msgspec.Struct, frozen=True, kw_only=True):
    """Where a browser is sent, by 303, and which cookies are written with that."""

    location: str
    cookies: tuple[SetCookie, ...]


class Site:
    """One site. Any number of threads share one, before and after a fork."""

    def __init__(
        self,
        settings: SiteSettings,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._randomness = randomness
        self._key = cookie_key(settings)
        self._keys = IssuerKeys(settings.issuer, monotonic=monotonic, policy=JwksPolicy())
        self._session_cookie = self._cookie_name("session")

    def send_to_sign_in(self, return_to: str | None, cookies: Mapping[str, str]) -> Redirect:
        """Begin a sign-in, bound to this browser by a cookie of its own, so that several may be under way.

        Of those that `cookies` has from before, the oldest are taken away.
        """
        pending = begin(return_to=return_to, now=self._clock(), randomness=self._randomness)
        name = self._pending_cookie(pending.state)
        sealed = seal(pending, name=name, key=self._key, randomness=self._randomness)
        assert sealed is not None  # noqa: S101 - a path is bounded
        forgotten = tuple(self._write(old, "", 0) for old in self._surplus(cookies))
        return Redirect(
            location=authorization_url(pending, self.settings),
            cookies=(self._write(name, sealed, LIFETIME), *forgotten),
        )

    def finish_sign_in(
        self, parameters: Mapping[str, Sequence[str]], cookies: Mapping[str, str]
    ) -> Redirect | SignInRefused:
        """Judge a return to the callback; its code is redeemed, the ID token checked, and a new session begun.

        `parameters`: of the query, each with all its values.
        """
        name = self._pending_cookie("".join(parameters.get("state", ())))
        pending = unseal(cookies.get(name, ""), Pending, name=name, key=self._key)
        judged = judge_return(parameters, pending, issuer=self.settings.issuer, now=self._clock())
        if isinstance(judged, SignInRefused):
            return judged
        answer = self._ask("/token", token_request(judged, self.settings))
        granted = SignInRefused(code="issuer_unavailable") if answer is None else parse_granted(*answer)
        if isinstance(granted, SignInRefused):
            return granted
        checked = self._check(granted, judged)
        if isinstance(checked, SignInRefused):
            return checked
        sealed = self._seal_session(granted, user_of(checked.claims))
        written = (self._write(name, "", 0), self._write(self._session_cookie, sealed, LASTS))
        return Redirect(location=judged.pending.return_to, cookies=written)

    def find_user(self, cookies: Mapping[str, str]) -> User | Anonymous:
        """Say who is signed in, by asking the issuer about the session: its row answers, so a log-out is known at once.

        Raises SessionUnknown where the issuer cannot be asked.
        """
        session = self._session(cookies)
        if session is None:
            return Anonymous()
        answer = self._ask("/introspect", urlencode({"token": session.refresh_token}).encode())
        if answer is None:
            raise SessionUnknown
        return session.user if session_lives(*answer) else Anonymous()

    def sign_out(self, cookies: Mapping[str, str]) -> Redirect:
        """End the session, at the issuer too, and go on to its log-out, which ends it for every application."""
        session = self._session(cookies)
        if session is not None:
            self._ask("/revoke", urlencode({"token": session.refresh_token}).encode())
        return Redirect(
            location=log_out_url(self.settings, id_token="" if session is None else session.id_token),
            cookies=(self._write(self._session_cookie, "", 0),),
        )

    def is_own_page(self, origin: str | None, fetch_site: str | None) -> bool:
        """Say whether a form was sent by a page of this site. `fetch_site`: the header Sec-Fetch-Site.

        Browsers name the origin of every form, but as `null` where the page wants no Referer; then the other counts.
        """
        return origin == self.settings.site or (origin in {None, "null"} and fetch_site == "same-origin")

    def _check(self, granted: Granted, redeem: Redeem) -> IdToken | SignInRefused:
        for unknown_key in (False, True):
            try:
                return check_id_token(
                    granted.id_token,
                    keys=self._keys.obtain(unknown_key=unknown_key),
                    issuer=self.settings.issuer,
                    client_id=self.settings.client_id,
                    nonce=redeem.pending.nonce,
                    access_token=granted.access_token,
                    algorithms=ALGORITHMS.keys(),
                    leeway=_LEEWAY,
                    now=self._clock(),
                )
            except KeysUnavailable:
                return SignInRefused(code="issuer_unavailable")
            except InvalidToken as refusal:
                if unknown_key or refusal.code != "unknown_key":
                    _log.warning(
                        "an ID token of %s was refused: %s %s", self.settings.issuer, refusal.code, refusal.claim
                    )
                    break
        return SignInRefused(code="id_token_refused")

    def _seal_session(self, granted: Granted, user: User) -> str:
        bare = User(sub=user.sub, session_id=user.session_id, name=(user.name or "")[:200] or None)
        for token, shown in ((granted.id_token, user), ("", user), ("", bare)):
            session = SiteSession(refresh_token=granted.refresh_token, id_token=token, user=shown)
            sealed = seal(session, name=self._session_cookie, key=self._key, randomness=self._randomness)
            if sealed is not None:
                return sealed
        raise AssertionError("a session without claims fits into a cookie")

    def _session(self, cookies: Mapping[str, str]) -> SiteSession | None:
        return unseal(cookies.get(self._session_cookie, ""), SiteSession, name=self._session_cookie, key=self._key)

    def _ask(self, path: str, form: bytes) -> tuple[int, bytes] | None:
        from sealring_verify.fetch import ask_as_client  # noqa: PLC0415 - httpx: see Verifier.__init__

        return ask_as_client(self.settings.issuer.rstrip("/") + path, form, authorization=self.settings.authorization)

    def _surplus(self, cookies: Mapping[str, str]) -> list[str]:
        # A page that is loaded again and again would fill the browser's requests until servers refuse them.
        def begun_at(name: str) -> int:
            pending = unseal(cookies[name], Pending, name=name, key=self._key)
            return 0 if pending is None else pending.begun_at

        prefix = self._pending_cookie("")
        return sorted((name for name in cookies if name.startswith(prefix)), key=begun_at)[: -(_UNDER_WAY - 1)]

    def _write(self, name: str, value: str, max_age: int) -> SetCookie:
        return SetCookie(name=name, value=value, max_age=max_age, secure=self.settings.over_tls)

    def _pending_cookie(self, state: str) -> str:
        # Of the state only what a cookie's name may hold, and enough of it to tell tabs apart.
        return self._cookie_name("sign-in-" + re.sub(r"[^A-Za-z0-9_-]", "", state[:8]))

    def _cookie_name(self, noun: str) -> str:
        return f"{'__Host-' if self.settings.over_tls else ''}sealring-site-{noun}"
