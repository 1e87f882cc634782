"""Form bodies from strangers (RFC 6749 §3.2, appendix B): each parameter once, UTF-8, no NUL; empty means absent."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from sealring.protocol.errors import OAuthError, refuse

_MAXIMUM_PARAMETERS = 64


def parse_form(body: bytes, *, maximum_bytes: int) -> Mapping[str, str] | OAuthError:
    """Parse `application/x-www-form-urlencoded`; a repeated parameter is refused, an empty one is left out."""
    if len(body) > maximum_bytes:
        return refuse("body_too_large")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAXIMUM_PARAMETERS
        )
    except ValueError:
        return refuse("malformed_form")
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        return refuse("duplicate_parameter")
    if any("\x00" in name or "\x00" in value for name, value in pairs):
        return refuse("malformed_form")
    return {name: value for name, value in parameters.items() if value}
