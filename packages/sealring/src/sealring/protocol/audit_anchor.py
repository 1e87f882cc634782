"""Anchors: copies of the audit chains' heads kept elsewhere, so that a cut tail shows (SECURITY F1).

An anchor is a small JSON file with an HMAC under the audit key: it can lie anywhere, and who alters it is found out.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from sealring.protocol.audit_chain import AuditLink, ChainHead, ChainProblem
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant

CHECKPOINT_EVENT: Final = "audit_checkpoint"


class AuditAnchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far each writer's chain had come `at` an instant. `heads`: writer → (sequence, MAC of its last link)."""

    issuer: str
    at: Instant
    heads: Mapping[str, tuple[int, bytes]]
    mac: bytes


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


def find_cut(anchor: AuditAnchor, links: Mapping[str, Sequence[AuditLink]]) -> ChainProblem | None:
    """Say which chain no longer holds what the anchor saw of it, or None. `links`: writer → its links, in order."""
    for writer, (sequence, mac) in sorted(anchor.heads.items()):
        here = next((link for link in links.get(writer, ()) if link.last_sequence == sequence), None)
        if here is None or not hmac.compare_digest(here.mac, mac):
            return ChainProblem(
                writer=writer, sequence=sequence, sentence="The chain is shorter or other than its anchor."
            )
    return None


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
