"""Sites: whether a browser takes a page and the issuer for neighbours, and sends the page `SameSite` cookies."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_same_site(origin: str, issuer: str) -> bool:
    """Say whether a page of `origin` and `issuer` are one site for certain.

    That is: one scheme, and hosts that are equal, or one of them below the other; ports and paths do not count. Which
    names strangers may register below (`co.uk`, `github.io`) stands in a list that grows by the week; without it two
    hosts beside each other cannot be told from strangers.
    """
    page, ours = urlsplit(origin), urlsplit(issuer)
    if page.scheme != ours.scheme or page.hostname is None or ours.hostname is None:
        return False
    return (
        page.hostname == ours.hostname
        or _is_below(page.hostname, ours.hostname)
        or _is_below(ours.hostname, page.hostname)
    )


def _is_below(host: str, parent: str) -> bool:
    # A parent of one label (`localhost`, `com`) is nobody's site.
    return "." in parent and not _is_address(parent) and host.endswith(f".{parent}")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
