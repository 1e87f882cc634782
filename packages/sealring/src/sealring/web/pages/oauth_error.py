"""The page that tells a person why nothing goes on here: at the endpoint's own address, never redirected."""

from sealring.protocol.errors import OAuthError
from sealring.services.house import House
from sealring.web.exchange import Answer, Headers
from sealring.web.pages.render import PAGES, page_values, render_page


def error_page(refusal: OAuthError, house: House, *, headers: Headers = (), base: str | None = None) -> Answer:
    """Show a refusal, in its words and its code. `base`: where its style lies, None where that is the issuer."""
    values = page_values(house, {"refusal": refusal}) | ({} if base is None else {"base": base})
    if refusal.retry_after is not None:
        headers = (*headers, (b"retry-after", str(refusal.retry_after).encode()))
    return render_page(PAGES, "oauth_error.html", values, status=refusal.status, headers=headers)
