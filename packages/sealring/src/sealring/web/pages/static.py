"""Scripts and styles of our own pages, read once at the start."""

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from sealring.protocol.errors import refuse
from sealring.services.house import House
from sealring.web.exchange import Answer, Headers, Request, refusal_answer

_MEDIA_TYPES: Final = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


def read_static(package: str) -> Mapping[str, tuple[bytes, bytes]]:
    """Read the files of a package's folder `static`: name → media type and content."""
    found = {}
    for item in files(package).joinpath("static").iterdir():
        suffix = item.name[item.name.rfind(".") :]
        if suffix in _MEDIA_TYPES:
            found[item.name] = (_MEDIA_TYPES[suffix], item.read_bytes())
    return MappingProxyType(found)


_FILES: Final = read_static("sealring.web")


async def get_static(request: Request, _house: House) -> Answer:
    """Give one of the files."""
    return static_answer(_FILES, request)


def static_answer(found: Mapping[str, tuple[bytes, bytes]], request: Request) -> Answer:
    """Give the file that the path names, or say that there is none."""
    file = found.get(request.parameters["name"])
    return refusal_answer(refuse("not_found")) if file is None else file_answer(*file, request)


def file_answer(media_type: bytes, content: bytes, request: Request, *, headers: Headers = ()) -> Answer:
    """Give a file, or say that the browser has it already."""
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    told = (
        (b"content-type", media_type),
        (b"cache-control", b"no-cache"),
        (b"etag", etag.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cross-origin-resource-policy", b"same-origin"),
        *headers,
    )
    if etag in request.headers.get("if-none-match", ""):
        return Answer(status=304, headers=told, body=b"")
    return Answer(status=200, headers=told, body=content)
