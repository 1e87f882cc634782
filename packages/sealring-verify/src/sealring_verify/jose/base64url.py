"""base64url without padding (RFC 7515 §2), in its one canonical form."""

import binascii

_STANDARD_TO_URL = bytes.maketrans(b"+/", b"-_")
# What base64url does not know turns into "!", which the strict decoder refuses: standard alphabet and padding.
_URL_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", None, b"==", b"=")
# a2b_base64(strict_mode=True) lets trailing bits pass that are not zero, so that one value would have several
# spellings: the last character must be one whose unused bits (four, two) are zero.
_CANONICAL_ENDS = (None, None, frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))


def encode(data: bytes) -> bytes:
    """Write octets as base64url, without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_STANDARD_TO_URL).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Read base64url octets. Two different texts never give the same octets.

    ValueError for padding, white space, any foreign character, an impossible length, trailing bits that are not zero.
    """
    rest = len(text) & 3
    padding = _PADDING[rest]
    if padding is None:
        raise ValueError("impossible base64url length")
    ends = _CANONICAL_ENDS[rest]
    if ends is not None and text[-1] not in ends:
        raise ValueError("base64url is not canonical")
    return binascii.a2b_base64(text.translate(_URL_TO_STANDARD) + padding, strict_mode=True)
