"""What a browser brings to our pages: its cookies, and where its form came from (SECURITY D1, D3)."""

import msgspec

from sealring.browser.cookie import CookiesRefused, SameSite, cookie_name, parse_cookies, set_cookie
from sealring.browser.origin import may_be_own_form
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.sso_session import SsoSession
from sealring.services.house import House
from sealring.services.sso_session import find_sso_session
from sealring.web.exchange import Headers, Request

_DEVICE_SECONDS = 90 * 24 * 3600


class Browser(msgspec.Struct, frozen=True, kw_only=True):
    """The cookies of a browser, by noun. `secure`: whether it reaches us over TLS."""

    secure: bool
    sso: str | None
    interaction: str | None
    device: str | None

    def __repr__(self) -> str:
        return f"Browser(secure={self.secure}, …)"

    def keep(self, noun: str, value: str, *, same_site: SameSite = "Lax", max_age: int | None = None) -> Headers:
        """Write the header that lets the browser keep a cookie."""
        return (set_cookie(cookie_name(noun, secure=self.secure), value, same_site=same_site, max_age=max_age),)

    def keep_device(self, token: str) -> Headers:
        """Let the browser keep the token by which its device is known."""
        return self.keep("device", token, max_age=_DEVICE_SECONDS)


def read_browser(request: Request, house: House) -> Browser | OAuthError:
    """Read the cookies of a request; two of one name are refused, since somebody may have planted one."""
    secure = house.issuer.startswith("https://")
    cookies = parse_cookies(request.headers.get("cookie"), secure=secure)
    if isinstance(cookies, CookiesRefused):
        return refuse("duplicate_cookie")
    found = {noun: cookies.get(cookie_name(noun, secure=secure)) for noun in ("sso", "interaction", "device")}
    return Browser(secure=secure, **found)


def refuse_foreign_form(request: Request, house: House) -> OAuthError | None:
    """Refuse a form that another site sent; browsers that say nothing are held by the form's own secret."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    return None if may_be_own_form(origin, site, issuer=house.issuer) else refuse("cross_site_form")


async def find_session(browser: Browser, house: House) -> SsoSession | None:
    """Return the live session of a browser, which counts as used."""
    return await find_sso_session(browser.sso, store=house.store, policy=house.sso_policy, now=house.clock())
