"""Random names of sessions and people: base64url, fit to stand on a command line."""

from base64 import urlsafe_b64encode

from sealring.protocol.secret import Randomness


def make_opaque_id(octets: int, *, randomness: Randomness) -> str:
    """Make a name of so many random octets, without padding.

    It never begins with a hyphen, which `sealring sessions end` would take for an option.
    """
    name = urlsafe_b64encode(randomness(octets)).rstrip(b"=").decode()
    return "_" + name[1:] if name.startswith("-") else name
