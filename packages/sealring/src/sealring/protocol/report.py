"""What verifiers tell of themselves: `POST /reports` (docs/reference/revocation-feed.md)."""

import re
from collections.abc import Mapping

import msgspec

from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.json_object import parse_json_object

_NAME = re.compile(r"[A-Za-z0-9_-]{16,64}")
_CODE = re.compile(r"[a-z_]{1,64}")
_KID = re.compile(r"[\x21-\x7e]{1,128}")
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_NETWORK = re.compile(r"[0-9a-f.:]{2,39}/(?:24|48)")
_INCARNATION = re.compile(r"[0-9a-f]{32}")
_MOST_KEYS = 32
_MOST_COUNTS = 64
_MOST_USES = 100
_LARGEST_NUMBER = 2**53

Use = tuple[int, str | None, str | None, str | None, str]
"""Seconds ago, hashed `jti`, hashed `sid`, the caller's network, the code that its request ended with."""


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One process's word: what it knows of feed and keys, and how many requests ended with which code since the last.

    `position`, `incarnation` and `age_ms` are null before it knows anything. The API's name is the credential's.
    """

    verifier: str
    incarnation: str | None
    position: int | None
    age_ms: int | None
    keys: tuple[str, ...]
    counts: Mapping[str, int]
    uses: tuple[Use, ...]


def parse_report(body: bytes) -> Report | OAuthError:
    """Parse a report; whatever it says is text of somebody else's, so each member is bounded and of one alphabet."""
    report = parse_json_object(body, Report)
    if isinstance(report, OAuthError):
        return report
    sentence = _problem(report)
    return report if sentence is None else refuse("invalid_parameter", description=sentence)


def _problem(report: Report) -> str | None:
    numbers = [report.position or 0, report.age_ms or 0, *report.counts.values(), *(use[0] for use in report.uses)]
    if not _NAME.fullmatch(report.verifier):
        return "`verifier` is 16 to 64 characters out of A-Z a-z 0-9 _ -"
    if report.incarnation is not None and not _INCARNATION.fullmatch(report.incarnation):
        return "`incarnation` is 32 hexadecimal digits."
    if not all(0 <= number <= _LARGEST_NUMBER for number in numbers):
        return "Numbers of a report are not negative."
    if len(report.keys) > _MOST_KEYS or not all(map(_KID.fullmatch, report.keys)):
        return f"`keys` has at most {_MOST_KEYS} key ids."
    if len(report.counts) > _MOST_COUNTS or not all(map(_CODE.fullmatch, report.counts)):
        return f"`counts` has at most {_MOST_COUNTS} codes."
    if len(report.uses) > _MOST_USES or not all(map(_is_use, report.uses)):
        return f"`uses` has at most {_MOST_USES} uses of the documented form."
    return None


def _is_use(use: Use) -> bool:
    _, jti, sid, network, code = use
    ids = all(name is None or _ID.fullmatch(name) for name in (jti, sid))
    return ids and (network is None or _NETWORK.fullmatch(network) is not None) and _CODE.fullmatch(code) is not None
