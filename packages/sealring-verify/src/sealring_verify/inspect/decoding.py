"""Reading a token leniently, for the eye: whatever can be shown is, and what a verifier would refuse is noted."""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Final

import msgspec

from sealring_verify.inspect.vocabulary import KINDS
from sealring_verify.jose import base64url

LONGEST_TEXT: Final = 256 * 1024
_BEARER: Final = re.compile(r"^\s*(?:authorization:\s*)?bearer\s+", re.IGNORECASE)
_SPACE: Final = re.compile(r"[ \t\r\n]+")
_SIGNED: Final = re.compile(r"[A-Za-z0-9_+/=-]+\.[A-Za-z0-9_+/=-]*\.[A-Za-z0-9_+/=-]*")
_ENCRYPTED: Final = re.compile(r"[A-Za-z0-9_+/=-]+(?:\.[A-Za-z0-9_+/=-]*){4}")
_DEEPEST: Final = 32

Members = Mapping[str, object]
Fault = tuple[str, str]
"""A code of `REMARKS`, and the part that it is about: header, payload, signature."""


class SignedToken(msgspec.Struct, frozen=True, kw_only=True):
    """Three parts. `claims` is None where the payload is no JSON object; `signature` where it is no base64url."""

    text: str
    header: Members
    claims: Members | None
    payload: bytes
    signature: bytes | None
    faults: tuple[Fault, ...]


class EncryptedToken(msgspec.Struct, frozen=True, kw_only=True):
    """Five parts, of which the first can be read."""

    text: str
    header: Members
    faults: tuple[Fault, ...]


class OpaqueText(msgspec.Struct, frozen=True, kw_only=True):
    """What Sealring makes of random characters, known by its `prefix`; it says nothing and is never shown."""

    text: str
    prefix: str


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """None of these."""

    text: str


Inspected = SignedToken | EncryptedToken | OpaqueText | Unreadable


def read_token(text: str) -> Inspected:
    """Read what was given, of whatever form. `Bearer` before it, and white space of a terminal within it, are left out.

    It never raises.
    """
    text = _SPACE.sub("", _BEARER.sub("", text, count=1)) if len(text) <= LONGEST_TEXT else text[:0]
    if text[:4] in KINDS:
        return OpaqueText(text=text, prefix=text[:4])
    if _SIGNED.fullmatch(text):
        return _read_signed(text)
    if _ENCRYPTED.fullmatch(text):
        return _read_encrypted(text)
    return Unreadable(text=text)


def _read_signed(text: str) -> SignedToken | Unreadable:
    faults: list[Fault] = []
    header_part, payload_part, signature_part = text.split(".")
    header = _object(_octets(header_part, "header", faults), "header", faults)
    if header is None:
        return Unreadable(text=text)
    payload = _octets(payload_part, "payload", faults)
    claims = _object(payload, "payload", faults)
    if claims is None:
        faults.append(("payload_not_claims", "payload"))
    return SignedToken(
        text=text,
        header=header,
        claims=claims,
        payload=payload or b"",
        signature=_octets(signature_part, "signature", faults),
        faults=tuple(faults),
    )


def _read_encrypted(text: str) -> EncryptedToken | Unreadable:
    faults: list[Fault] = []
    header = _object(_octets(text.split(".", 1)[0], "header", faults), "header", faults)
    if header is None:
        return Unreadable(text=text)
    return EncryptedToken(text=text, header=header, faults=tuple(faults))


def _octets(part: str, name: str, faults: list[Fault]) -> bytes | None:
    try:
        return base64url.decode(part.encode())
    except ValueError:
        faults.append(("not_canonical", name))
    # Padded, of the other alphabet, or with bits that nobody reads: other tools write and take that.
    bare = part.replace("+", "-").replace("/", "_").rstrip("=")
    if "=" in bare or len(bare) % 4 == 1:
        return None
    return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _object(octets: bytes | None, name: str, faults: list[Fault]) -> Members | None:
    twice: list[str] = []

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice.append(name)
        return found

    try:
        value = json.loads(
            (octets or b"").decode(), object_pairs_hook=members, parse_float=_finite, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or _is_deep(value, _DEEPEST):
        return None
    if twice:
        faults.append(("duplicate_member", name))
    return value


def _finite(number: str) -> float:
    value = float(number)
    if value in {float("inf"), float("-inf")}:
        raise ValueError("a number is beyond the range of a double")
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _is_deep(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deep(each, levels - 1) for each in inner)
