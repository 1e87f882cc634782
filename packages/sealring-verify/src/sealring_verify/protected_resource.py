"""What an API says of itself to clients that do not know it yet (RFC 9728), pure."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from sealring_verify.issuer_metadata import parse_issuer

# RFC 3986 §2 without the percent sign, so that every framework takes the path for the same one.
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/\[\]@!$&'()*+,;=]+")
_WELL_KNOWN = "/.well-known/oauth-protected-resource"


def parse_resource(resource: str) -> str:
    """Check an API's resource identifier and give it back unchanged. ValueError, in a sentence for its author.

    RFC 9728 §1.2: https, no fragment; a query is not offered. http is for loopback alone.
    """
    try:
        parse_issuer(resource)
    except ValueError:
        raise ValueError(
            f"resource must be this API's address, such as https://api.example.com/orders, not {resource!r}"
        ) from None
    if not _PLAIN.fullmatch(resource):
        raise ValueError(f"resource must be a URL of plain ASCII, without percent-encoding: {resource!r}")
    return resource


def resource_metadata_path(resource: str) -> str:
    """Give the path of the document: the well-known part goes before the identifier's own path (RFC 9728 §3.1)."""
    path = urlsplit(resource).path
    return _WELL_KNOWN if path == "/" else _WELL_KNOWN + path


def resource_metadata_url(resource: str) -> str:
    """Give the address of the document, as each challenge names it (RFC 9728 §5.1)."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{resource_metadata_path(resource)}"


def resource_metadata(resource: str, *, issuers: Iterable[str], scopes: Iterable[str]) -> dict[str, object]:
    """Give the members of the document (RFC 9728 §2). `scopes`: those that some operation demands."""
    members: dict[str, object] = {
        "resource": resource,
        "authorization_servers": list(issuers),
        "bearer_methods_supported": ["header"],
    }
    # §3.2: a parameter without values is left out.
    return members | {"scopes_supported": supported} if (supported := sorted(scopes)) else members
