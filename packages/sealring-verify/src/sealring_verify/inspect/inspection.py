"""What the inspector found out, as one value for `--json` and for the terminal; pure."""

from collections.abc import Mapping

import msgspec

from sealring_verify.errors import TokenRefused
from sealring_verify.inspect.dates import date_in_words
from sealring_verify.inspect.decoding import EncryptedToken, Inspected, SignedToken
from sealring_verify.inspect.remarks import Remark, gravest_first, kind_of, remarks_on
from sealring_verify.inspect.vocabulary import DATES, KINDS


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the token was verified: without `refusals` it was. The first is the answer; the others would follow.

    `kid`, `alg`: of the key that its signature held under. `explains`: by a verifier's whole policy. `passes_at`: when
    it passes by time alone, or did last; seconds since 1970.
    """

    refusals: tuple[TokenRefused, ...] = ()
    kid: str | None = None
    alg: str | None = None
    explains: bool = False
    passes_at: int | None = None


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """A token with all that is said of it. `now`: seconds since 1970, at which it was looked at."""

    token: Inspected
    kind: str
    remarks: tuple[Remark, ...]
    verdict: Verdict | None
    now: float


def inspect_token(token: Inspected, *, verdict: Verdict | None, secret_is_short: bool, now: float) -> Inspection:
    """Review a token; `secret_is_short` is known of a secret that was named."""
    remarks = remarks_on(token, now=now)
    if secret_is_short:
        remarks = gravest_first((*remarks, Remark("short_secret")))
    return Inspection(token=token, kind=kind_of(token), remarks=remarks, verdict=verdict, now=now)


def dates_in_words(claims: Mapping[str, object], *, now: float) -> dict[str, str]:
    """Write the claims that are dates."""
    words = {name: date_in_words(claims[name], now=now) for name in DATES if name in claims}
    return {name: text for name, text in words.items() if text is not None}


def as_json(inspection: Inspection) -> dict[str, object]:
    """Give the inspection as JSON values. It holds header and claims, never a signature or an opaque text."""
    token = inspection.token
    claims = token.claims if isinstance(token, SignedToken) else None
    return {
        "kind": inspection.kind,
        "description": KINDS[inspection.kind],
        "length": len(token.text),
        "header": token.header if isinstance(token, SignedToken | EncryptedToken) else None,
        "claims": claims,
        "dates": dates_in_words(claims or {}, now=inspection.now),
        "remarks": [
            {"code": each.code, "level": each.level, "about": each.about, "sentence": each.sentence}
            for each in inspection.remarks
        ],
        "verdict": None if inspection.verdict is None else _verdict_as_json(inspection.verdict, inspection.now),
    }


def _verdict_as_json(verdict: Verdict, now: float) -> dict[str, object]:
    if not verdict.refusals:
        return {"outcome": "verified", "kid": verdict.kid, "alg": verdict.alg}
    first, *further = verdict.refusals
    told: dict[str, object] = {
        "outcome": "refused",
        "code": first.code,
        "claim": first.claim,
        "message": first.message,
        "further": [{"code": each.code, "claim": each.claim} for each in further],
    }
    if verdict.passes_at is not None:
        told |= {"passes_at": verdict.passes_at, "passes_in": round(verdict.passes_at - now)}
    return told
