import pytest

from sealring.protocol.raster_image import parse_raster_image


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
        (b"GIF89a....", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
    ],
)
def test_a_raster_image_is_known_by_its_first_octets(content: bytes, media_type: str) -> None:
    image = parse_raster_image(content)
    assert image is not None
    assert (image.media_type, image.content) == (media_type, content)


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg onload='alert(1)'/>", b"<?xml version='1.0'?><svg/>", b"<html>", b"GIF8", b"RIFF....AVI ", b"\x89PNG"],
)
def test_what_can_hold_a_script_is_none(content: bytes) -> None:
    assert parse_raster_image(content) is None
