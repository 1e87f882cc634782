"""Security headers of pages and of JSON answers (SECURITY D3), as ASGI header pairs with lower-case names."""

from collections.abc import Sequence
from typing import Final

from sealring.browser.origin import Origin

JSON_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
"""For every JSON answer that no cache may keep (RFC 6749 §5.1) and no browser may take for a page."""

_PAGE_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    # Not no-referrer: under it browsers send `Origin: null` with our own forms, which the origin check refuses.
    (b"referrer-policy", b"strict-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


def page_headers(
    *, connect_src: Sequence[Origin] = (), form_action: Sequence[str] = (), frame_src: Sequence[str] = ()
) -> tuple[tuple[bytes, bytes], ...]:
    """Give the headers of an HTML page: scripts, styles, images from our own files only, no frame, no cache.

    `connect_src`: origins beside our own that its scripts may call (the playground's example API), parsed ones, since
    a space or a semicolon in a text would write policy. `form_action`: where a form's answer may redirect to beside our
    own pages, `frame_src`: what the page may hold in frames; both are sources of registered URIs.
    """
    policy = (
        "default-src 'none'",
        "base-uri 'none'",
        " ".join(("connect-src 'self'", *connect_src)),
        "font-src 'self'",
        " ".join(("form-action 'self'", *form_action)),
        "frame-ancestors 'none'",
        *((" ".join(("frame-src", *frame_src)),) if frame_src else ()),
        "img-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
    )
    return ((b"content-security-policy", "; ".join(policy).encode("ascii")), *_PAGE_HEADERS)


def closed_page_headers(policy: str) -> tuple[tuple[bytes, bytes], ...]:
    """Give the headers of an HTML page that has everything within, under its own policy: hashes, and no connection."""
    return ((b"content-security-policy", policy.encode("ascii")), *_PAGE_HEADERS)
