"""Raster images, known by their first octets: what a stranger calls an image may be a page (SECURITY E3)."""

import msgspec

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_GIF = (b"GIF87a", b"GIF89a")


class RasterImage(msgspec.Struct, frozen=True):
    """An image that can hold no script, as it is served."""

    media_type: str
    content: bytes


def parse_raster_image(content: bytes) -> RasterImage | None:
    """Say what kind of raster image octets are; None for anything else, SVG included."""
    if content.startswith(_PNG):
        return RasterImage("image/png", content)
    if content.startswith(_JPEG):
        return RasterImage("image/jpeg", content)
    if content.startswith(_GIF):
        return RasterImage("image/gif", content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return RasterImage("image/webp", content)
    return None
