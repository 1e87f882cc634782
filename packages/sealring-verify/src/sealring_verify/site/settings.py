"""Which site this is, at which issuer, and what makes no sense of it."""

import os
from base64 import b64encode
from urllib.parse import quote_plus, urlsplit

import msgspec

from sealring_verify.issuer_metadata import parse_issuer

SIGN_IN_PATH = "/.sealring/sign-in"
CALLBACK_PATH = "/.sealring/callback"
SIGN_OUT_PATH = "/.sealring/sign-out"


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A site, a client of its issuer. `site`: its origin, https://shop.example. Its repr shows no secret.

    What makes no sense is a ValueError here, and never quotes the secret.
    """

    issuer: str
    client_id: str
    client_secret: str
    site: str
    scope: str = "openid"

    def __post_init__(self) -> None:
        """Refuse what nobody could sign in with."""
        parse_issuer(self.issuer)
        parse_issuer(self.site)
        parts = urlsplit(self.site)
        if self.site != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"site is an origin such as https://shop.example, without a path: {self.site!r}")
        if not self.client_id or not self.client_secret:
            raise ValueError("a site needs client_id and client_secret")
        if self.client_id.startswith("slc_"):
            raise ValueError("the client secret stands where client_id should")
        if "openid" not in self.scope.split():
            raise ValueError("scope must have openid: else nobody is told who signed in")

    def __repr__(self) -> str:
        return f"SiteSettings(issuer={self.issuer!r}, client_id={self.client_id!r}, site={self.site!r})"

    @property
    def redirect_uri(self) -> str:
        """Where people come back to, as the client is registered."""
        return self.site + CALLBACK_PATH

    @property
    def authorization(self) -> str:
        """The client's HTTP Basic credentials, both halves form-encoded first (RFC 6749 §2.3.1)."""
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        return f"Basic {b64encode(pair.encode()).decode()}"

    @property
    def over_tls(self) -> bool:
        """Whether browsers reach the site by TLS; only then do they take `__Host-` cookies."""
        return self.site.startswith("https:")


def settings_from_environment(**said: str) -> SiteSettings:
    """Read SEALRING_ISSUER, SEALRING_CLIENT_ID, SEALRING_CLIENT_SECRET and SEALRING_SITE where they were not said.

    ValueError names what is missing, wrong or none of them and `scope`.
    """
    names = {"issuer": "SEALRING_ISSUER", "client_id": "SEALRING_CLIENT_ID"}
    names |= {"client_secret": "SEALRING_CLIENT_SECRET", "site": "SEALRING_SITE"}
    unknown = said.keys() - names.keys() - {"scope"}
    if unknown:
        raise ValueError(f"a site has no setting {' and '.join(sorted(unknown))}")
    found = {member: said.get(member) or os.environ.get(name, "") for member, name in names.items()}
    missing = [names[member] for member, value in found.items() if not value]
    if missing:
        raise ValueError(f"set {' and '.join(missing)} in the environment")
    scope = {"scope": said["scope"]} if said.get("scope") else {}
    return SiteSettings(**found, **scope)
