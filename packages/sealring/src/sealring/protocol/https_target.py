"""The address of a call, taken apart: where to connect, by which name, for what. Pure."""

import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_HOST: Final = re.compile(r"[0-9a-z]([0-9a-z._-]*[0-9a-z])?|[0-9a-f:.]+")
_LONGEST_URL: Final = 2048
_HTTPS_PORT: Final = 443


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """`host`: a name or an address without brackets, in lower case. `path`: with the query, as the request says it."""

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as an allow-list names them, the port always said."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def host_header(self) -> str:
        """Host and port as a request names them (RFC 9110 §7.2)."""
        return self.authority.removesuffix(f":{_HTTPS_PORT}")


def parse_target(url: str) -> Target | None:
    """Take an https URL apart; None for another scheme, user information, a fragment, or anything odd in it."""
    if len(url) > _LONGEST_URL or not _PRINTABLE.fullmatch(url) or "\\" in url or "#" in url:
        return None
    try:
        parts = urlsplit(url)
        port = _HTTPS_PORT if parts.port is None else parts.port
    except ValueError:
        return None
    host = parts.hostname
    if parts.scheme != "https" or "@" in parts.netloc or not host or not _HOST.fullmatch(host) or port == 0:
        return None
    path = parts.path or "/"
    return Target(host=host, port=port, path=f"{path}?{parts.query}" if parts.query else path)


def is_authority(text: str) -> bool:
    """Say whether a text is `host:port` as `Target.authority` writes it."""
    target = parse_target(f"https://{text}/")
    return target is not None and target.authority == text
