"""base64url without padding (RFC 7515 §2), in its one canonical form."""

import binascii

import msgspec

_STANDARD_TO_URL = bytes.maketrans(b"+/", b"-_")
# What base64url does not know turns into "!", which no decoder takes: quotes, padding, the standard alphabet, all.
_KNOWN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_URL_TO_STANDARD = bytes(
    {ord("-"): ord("+"), ord("_"): ord("/")}.get(each, each) if each in _KNOWN else ord("!") for each in range(256)
)
_ENDS = (b'"', None, b'=="', b'="')
# msgspec reads base64 as the form that octets have in JSON, and is twice as fast as binascii.
_decode_text = msgspec.json.Decoder(bytes).decode
# It lets trailing bits pass that are not zero, so that one value would have several spellings: the last character must
# be one whose unused bits (four, two) are zero.
_CANONICAL_ENDS = (None, None, frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))


def encode(data: bytes) -> bytes:
    """Write octets as base64url, without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_STANDARD_TO_URL).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Read base64url octets. Two different texts never give the same octets.

    ValueError for padding, white space, any foreign character, an impossible length, trailing bits that are not zero.
    """
    rest = len(text) & 3
    end = _ENDS[rest]
    if end is None:
        raise ValueError("impossible base64url length")
    ends = _CANONICAL_ENDS[rest]
    if ends is not None and text[-1] not in ends:
        raise ValueError("base64url is not canonical")
    try:
        return _decode_text(b'"' + text.translate(_URL_TO_STANDARD) + end)
    except msgspec.ValidationError:
        raise ValueError("not base64url") from None
