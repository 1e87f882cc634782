"""Host names as an operator writes them."""

import re

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")


def checked_host_name(option: str, value: str) -> str:
    """Return a host name in lower case. ValueError for anything else, in a sentence that names the option."""
    if not _HOST.fullmatch(value):
        raise ValueError(f"{option} must be a host name such as example.com, without https:// and path: {value!r}")
    return value.lower()
