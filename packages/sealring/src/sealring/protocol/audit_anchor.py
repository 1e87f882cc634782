"""Anchors: copies of the audit chains' heads kept elsewhere, so that a cut tail shows (SECURITY F1).

An anchor is a small JSON file with an HMAC under the audit key: it can lie anywhere, and who alters it is found out.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from sealring.protocol.audit_chain import ChainHead, ChainProblem
from sealring.protocol.audit_retention import AuditClosing
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant

CHECKPOINT_EVENT: Final = "audit_checkpoint"

ChainPlace = tuple[str, int]
"""A writer, and the last number of one of its links."""


class AuditAnchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far each writer's chain had come `at` an instant. `heads`: writer → (sequence, MAC of its last link)."""

    issuer: str
    at: Instant
    heads: Mapping[str, tuple[int, bytes]]
    mac: bytes


class ChainRemark(msgspec.Struct, frozen=True, kw_only=True):
    """What cannot be said of a chain, and why; no failure. `sequence`: up to where."""

    writer: str
    sequence: int
    sentence: str


def make_anchor(heads: Mapping[str, ChainHead], *, issuer: str, audit_key: bytes, now: Instant) -> AuditAnchor:
    """Write down the heads of all chains, under the audit key."""
    places = {writer: (head.sequence, head.mac) for writer, head in heads.items()}
    return AuditAnchor(issuer=issuer, at=now, heads=places, mac=_mac(places, issuer=issuer, at=now, key=audit_key))


def parse_anchors(text: str) -> tuple[AuditAnchor, ...]:
    """Find the anchors in what `audit anchor` printed or in a log among whose lines checkpoints stand, oldest first.

    What stands before a line's first brace is the collector's own. A line that is torn, or none of ours, is passed
    over: whoever can tear a line can also leave it out.
    """
    found = [_parse_anchor(line[line.index("{") :]) for line in text.splitlines() if "{" in line]
    return tuple(anchor for anchor in found if anchor is not None)


def check_anchor(anchor: AuditAnchor, *, issuer: str, audit_key: bytes) -> OAuthError | None:
    """Refuse an anchor that was made elsewhere or altered."""
    expected = _mac(anchor.heads, issuer=anchor.issuer, at=anchor.at, key=audit_key)
    if anchor.issuer != issuer or not hmac.compare_digest(expected, anchor.mac):
        return refuse("invalid_parameter", description="This anchor was not made by this installation, or was altered.")
    return None


def find_cut(
    anchor: AuditAnchor, places: Mapping[ChainPlace, bytes], closings: Mapping[str, AuditClosing]
) -> tuple[ChainProblem, ...]:
    """Say which chains no longer hold what the anchor saw of them. `closings`: those that hold, by writer.

    `places`: the MAC of the link that ends there. Of a place before a closing's end `find_removed` speaks.
    """
    return tuple(
        ChainProblem(writer=writer, sequence=sequence, sentence="The chain is shorter or other than its anchor.")
        for writer, (sequence, mac) in sorted(anchor.heads.items())
        if not _is_before_end(sequence, closings.get(writer))
        and not hmac.compare_digest(_mac_at(writer, sequence, places, closings) or b"", mac)
    )


def find_removed(anchor: AuditAnchor, closings: Mapping[str, AuditClosing]) -> tuple[ChainRemark, ...]:
    """Say of which chains retention removed the place that the anchor saw, so that it cannot be compared any more."""
    return tuple(
        ChainRemark(writer=writer, sequence=closing.last_sequence, sentence=_removal_sentence(closing))
        for writer, (sequence, _) in sorted(anchor.heads.items())
        if (closing := closings.get(writer)) is not None and _is_before_end(sequence, closing)
    )


def _is_before_end(sequence: int, closing: AuditClosing | None) -> bool:
    return closing is not None and sequence < closing.last_sequence


def _mac_at(
    writer: str, sequence: int, places: Mapping[ChainPlace, bytes], closings: Mapping[str, AuditClosing]
) -> bytes | None:
    closing = closings.get(writer)
    if closing is not None and closing.last_sequence == sequence:
        return closing.link_mac
    return places.get((writer, sequence))


def _removal_sentence(closing: AuditClosing) -> str:
    day = datetime.fromtimestamp(closing.at / 1000, tz=UTC).date().isoformat()
    return (
        f"Removed by retention on {day}, up to {closing.last_sequence}: what an anchor saw of earlier places cannot be "
        "compared any more."
    )


def _parse_anchor(line: str) -> AuditAnchor | None:
    try:
        written = msgspec.json.decode(line)
        if isinstance(written, dict) and written.get("event") == CHECKPOINT_EVENT:
            written = written.get("anchor")
        return msgspec.convert(written, AuditAnchor)
    except (ValueError, RecursionError):
        return None


def _mac(heads: Mapping[str, tuple[int, bytes]], *, issuer: str, at: Instant, key: bytes) -> bytes:
    message = b"sealring audit anchor\x00" + msgspec.json.encode([issuer, at, heads], order="sorted")
    return hmac.digest(key, message, "sha256")
