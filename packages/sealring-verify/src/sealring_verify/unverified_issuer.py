"""Which issuer a token claims to be of, pure: read to route it to whoever verifies it, and to decide nothing else."""

from sealring_verify.jose import base64url
from sealring_verify.jose.json_object import parse_json_object
from sealring_verify.jose.jws import MAX_TOKEN_LENGTH


def unverified_issuer(token: object) -> str | None:
    """Give the `iss` of what has the form of a signed token; None for anything else. It may be anybody's invention."""
    if not isinstance(token, str) or len(token) > MAX_TOKEN_LENGTH or token.count(".") != 2:
        return None
    try:
        members = parse_json_object(base64url.decode(token.split(".")[1].encode("ascii")))
    except ValueError:
        return None
    issuer = members.get("iss")
    return issuer if isinstance(issuer, str) else None
