"""A request whose body is a form (RFC 6749 appendix B): what the OAuth endpoints take, and nothing else."""

from collections.abc import Mapping

from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.form import parse_form, refuse_query
from sealring.protocol.json_object import MAXIMUM_BODY_BYTES
from sealring.web.exchange import Request


def read_form(request: Request) -> Mapping[str, str] | OAuthError:
    """Read the form of a request, or refuse another content type, parameters in the address, or a bad form."""
    if not is_form(request):
        return refuse("wrong_content_type")
    return refuse_query(request.query) or parse_form(request.body, maximum_bytes=MAXIMUM_BODY_BYTES)


def is_form(request: Request) -> bool:
    """Say whether the body of a request calls itself a form."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/x-www-form-urlencoded"
