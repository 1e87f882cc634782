"""What a browser brings to our pages: its cookies, and where its form came from (SECURITY D1, D3)."""

from base64 import urlsafe_b64encode

import msgspec

from sealring.browser.cookie import CookiesRefused, SameSite, cookie_name, parse_cookies, set_cookie
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.secret import Randomness
from sealring.services.house import House
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
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = house.issuer.removesuffix("/")
    own_origin = "/".join(own.split("/")[:3])
    if site not in {None, "same-origin", "none"} or origin not in {None, own_origin}:
        return refuse("cross_site_form")
    return None


def make_cookie(*, randomness: Randomness) -> str:
    """Throw the dice for a cookie: 256 bits."""
    return urlsafe_b64encode(randomness(32)).rstrip(b"=").decode()
