"""The page that a person sees where a sign-in did not work, alike in every framework."""

from html import escape
from typing import Final

_SENTENCES: Final = {
    "access_denied": "You were not signed in, because you said so.",
    "state_mismatch": "This sign-in was not begun in this browser, or it was finished before.",
    "sign_in_expired": "You came back after more than ten minutes.",
    "issuer_unavailable": "The sign-in service does not answer. Try again in a moment.",
    "foreign_form": "This form was not sent by a page of this site.",
}
_OTHERWISE: Final = "The sign-in did not work."
_STATUS: Final = {"issuer_unavailable": 503, "foreign_form": 403}


def refusal_page(code: str) -> tuple[int, str, dict[str, str]]:
    """Write the page for a stable code: status, HTML and headers. Nothing that a request said is on it but the code."""
    status = _STATUS.get(code, 400)
    sentence = _SENTENCES.get(code, _OTHERWISE)
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>Not signed in</title><h1>Not signed in</h1><p id="sealring-error">{sentence}</p>'
        f'<p>Code: <code>{escape(code)}</code></p><p><a href="/">Go on</a></p></html>'
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        # The address of the page has the code in it.
        "Referrer-Policy": "no-referrer",
    }
    return status, page, headers | ({"Retry-After": "2"} if status == 503 else {})
