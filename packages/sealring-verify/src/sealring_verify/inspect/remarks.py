"""A reviewer's remarks on a token, pure: each with a stable code, in an order that never changes."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from sealring_verify.inspect import vocabulary
from sealring_verify.inspect.decoding import EncryptedToken, Inspected, Members, OpaqueText, SignedToken, Unreadable
from sealring_verify.inspect.vocabulary import REMARKS

_HASHES: Final = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
_ORDINARY: Final = frozenset({"access_token", "id_token", "signed_token"})
# ASCII: without it Python takes a long s for an s where case does not count, and JavaScript does not.
_ANY_CASE: Final = re.IGNORECASE | re.ASCII
_KID: Final = {code: re.compile(pattern, _ANY_CASE) for code, pattern in vocabulary.KID_PATTERNS.items()}
_PERSONAL_VALUE: Final = re.compile(vocabulary.PERSONAL_VALUE)
_SECRET_CLAIM: Final = re.compile(vocabulary.SECRET_CLAIM, _ANY_CASE)
_SECRET_VALUE: Final = re.compile(vocabulary.SECRET_VALUE)
_HIDDEN: Final = re.compile(vocabulary.HIDDEN)
# A clock that is behind the issuer's by so little is no news.
_ORDINARY_SKEW: Final = 30
_LEVELS: Final = ("danger", "warning", "note")


class Remark(msgspec.Struct, frozen=True):
    """One remark. `about`: the member, or the part of the token, that it is about; it may be a stranger's text."""

    code: str
    about: str | None = None

    @property
    def level(self) -> str:
        """How much it weighs: danger, warning, note."""
        return REMARKS[self.code][0]

    @property
    def sentence(self) -> str:
        """What it says."""
        return REMARKS[self.code][1]


def kind_of(token: Inspected) -> str:
    """Say which of `KINDS` a token is: by its `typ`, else by claims that only one kind has."""
    if isinstance(token, OpaqueText):
        return token.prefix
    if isinstance(token, Unreadable):
        return "unreadable"
    if isinstance(token, EncryptedToken):
        return "encrypted_token"
    claims = token.claims or {}
    return vocabulary.TYPES.get(_media_type(token.header, "typ")) or _kind_by_claims(claims)


def remarks_on(token: Inspected, *, now: float) -> tuple[Remark, ...]:
    """Review a token, the gravest first. `now`: seconds since 1970."""
    return gravest_first(_remarks_on(token, now))


def gravest_first(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    """Put dangers before warnings and these before notes, each in its own order."""
    return tuple(sorted(remarks, key=lambda remark: _LEVELS.index(remark.level)))


def whole_seconds(value: object) -> int | None:
    """Take a date as verifiers take it: a whole number of seconds up to the year 5138."""
    # `type`, because True is an int to isinstance.
    return value if type(value) is int and 0 <= value <= vocabulary.LATEST_DATE else None


def _remarks_on(token: Inspected, now: float) -> Iterator[Remark]:
    if isinstance(token, OpaqueText):
        if token.prefix in vocabulary.EXPOSED:
            yield Remark("secret_pasted")
        return
    if isinstance(token, Unreadable):
        yield Remark("not_a_token")
        return
    if len(token.text) > vocabulary.LARGE:
        yield Remark("too_large" if len(token.text) > vocabulary.LARGEST else "large")
    yield from (Remark(code, part) for code, part in token.faults)
    kind = kind_of(token)
    yield from _on_header(token.header, kind)
    if isinstance(token, EncryptedToken):
        yield Remark("encrypted")
        yield from _on_text(token.header)
        return
    yield from _on_signature(token)
    claims = token.claims or {}
    if token.claims is not None and kind in _ORDINARY:
        yield from _on_claims(claims, kind)
    yield from _on_dates(claims, now)
    if kind != "id_token":
        yield from _on_personal_data(claims)
    yield from (Remark("secret_claim", name) for name, value in claims.items() if _is_secret(name, value))
    yield from _on_text({**token.header, **claims})


def _on_header(header: Members, kind: str) -> Iterator[Remark]:
    yield from _on_algorithm(header.get("alg"), encrypted=kind == "encrypted_token")
    if kind != "encrypted_token" and _media_type(header, "typ") == "":
        yield Remark("typ_missing", "typ")
    elif kind == "access_token" and _media_type(header, "typ") != "at+jwt":
        yield Remark("typ_generic", "typ")
    yield from _on_kid(header)
    for name in vocabulary.KEY_MEMBERS:
        # A DPoP proof brings the key that it proves (RFC 9449 §4.2).
        if name in header and (name, kind) != ("jwk", "dpop_proof"):
            yield Remark("key_in_header", name)
    if "crit" in header:
        yield Remark("critical_header", "crit")
    if "zip" in header:
        yield Remark("compressed", "zip")
    if _media_type(header, "cty") == "jwt":
        yield Remark("nested_token", "cty")


def _on_algorithm(alg: object, *, encrypted: bool) -> Iterator[Remark]:
    if not isinstance(alg, str):
        yield Remark("alg_missing", "alg")
    elif alg.lower() == "none":
        yield Remark("alg_none", "alg")
    elif alg in vocabulary.WEAK:
        yield Remark("weak_algorithm", "alg")
    elif alg in _HASHES:
        yield Remark("symmetric_algorithm", "alg")
    elif alg == "EdDSA":
        yield Remark("ambiguous_algorithm", "alg")
    if isinstance(alg, str) and alg.lower() != "none" and alg not in vocabulary.VERIFIABLE and not encrypted:
        yield Remark("unsupported_algorithm", "alg")


def _on_kid(header: Members) -> Iterator[Remark]:
    if "kid" not in header:
        alg = header.get("alg")
        if isinstance(alg, str) and alg not in _HASHES and alg.lower() != "none":
            yield Remark("kid_missing", "kid")
        return
    kid = header["kid"]
    if not isinstance(kid, str):
        yield Remark("kid_not_text", "kid")
        return
    yield from (Remark(code, "kid") for code, pattern in _KID.items() if pattern.search(kid))


def _on_signature(token: SignedToken) -> Iterator[Remark]:
    if token.signature == b"":
        yield Remark("signature_missing", "signature")
    alg = token.header.get("alg")
    if isinstance(alg, str) and alg in _HASHES and token.signature:
        signing_input = token.text.rpartition(".")[0].encode()
        for secret in vocabulary.KNOWN_SECRETS:
            if hmac.digest(secret.encode(), signing_input, _HASHES[alg]) == token.signature:
                yield Remark("known_secret", secret)


def _on_claims(claims: Members, kind: str) -> Iterator[Remark]:
    if kind == "id_token":
        yield Remark("id_token")
    if "iss" not in claims:
        yield Remark("iss_missing", "iss")
    yield from _on_audience(claims.get("aud"))
    if "sub" not in claims:
        yield Remark("sub_missing", "sub")
    elif not isinstance(claims["sub"], str):
        yield Remark("sub_not_text", "sub")
    if "exp" not in claims:
        yield Remark("exp_missing", "exp")
    if "iat" not in claims:
        yield Remark("iat_missing", "iat")
    if kind != "access_token":
        return
    yield from (Remark("claim_missing", name) for name in ("client_id", "jti") if name not in claims)
    if not isinstance(claims.get("scope", ""), str):
        yield Remark("scope_not_text", "scope")
    if "cnf" in claims:
        yield Remark("bound_to_key", "cnf")


def _on_audience(aud: object) -> Iterator[Remark]:
    audience = aud if isinstance(aud, list) else [] if aud is None or aud == "" else [aud]
    if not audience:
        yield Remark("aud_missing", "aud")
    if "*" in audience:
        yield Remark("aud_wildcard", "aud")
    if len(audience) > 1:
        yield Remark("several_audiences", "aud")


def _on_dates(claims: Members, now: float) -> Iterator[Remark]:
    for name in vocabulary.DATES:
        value = claims.get(name, 0)
        if type(value) is int and value > vocabulary.LATEST_DATE:
            yield Remark("date_in_milliseconds", name)
        elif whole_seconds(value) is None:
            yield Remark("date_not_whole", name)
    iat, nbf, exp = (whole_seconds(claims.get(name)) for name in ("iat", "nbf", "exp"))
    if exp is not None and exp <= now:
        yield Remark("expired", "exp")
    if nbf is not None and nbf > now:
        yield Remark("not_yet_valid", "nbf")
    if iat is not None and iat > now + _ORDINARY_SKEW:
        yield Remark("not_yet_valid", "iat")
    if exp is not None and iat is not None and exp <= iat:
        yield Remark("expires_before_issued", "exp")
    if exp is not None and iat is not None and exp - iat > vocabulary.LONGEST_LIFETIME:
        yield Remark("lifetime_over_an_hour", "exp")


def _on_personal_data(claims: Members) -> Iterator[Remark]:
    for name, value in claims.items():
        looks_personal = isinstance(value, str) and _PERSONAL_VALUE.search(value)
        if name.lower() in vocabulary.PERSONAL_CLAIMS or (looks_personal and name not in vocabulary.NEVER_PERSONAL):
            yield Remark("personal_data", name)


def _on_text(members: Members) -> Iterator[Remark]:
    for name, value in members.items():
        if any(_hides(text) for text in _texts({name: value})):
            yield Remark("hidden_text", name)


def _hides(text: str) -> bool:
    first, last = vocabulary.HIDDEN_ABOVE
    return bool(_HIDDEN.search(text)) or any(first <= ord(character) <= last for character in text)


def _is_secret(name: str, value: object) -> bool:
    return bool(_SECRET_CLAIM.search(name)) or (isinstance(value, str) and bool(_SECRET_VALUE.search(value)))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _media_type(header: Members, name: str) -> str:
    # RFC 7515 §4.1.9: compared without regard to case, and `application/` may be left out.
    value = header.get(name)
    return value.lower().removeprefix("application/") if isinstance(value, str) else ""


def _kind_by_claims(claims: Members) -> str:
    events = claims.get("events")
    if isinstance(events, dict):
        is_logout = "http://schemas.openid.net/event/backchannel-logout" in events
        return "logout_token" if is_logout else "security_event"
    # Cognito says which of its two tokens it is (`token_use`), and gives an access token `auth_time` too.
    if any(name in claims for name in vocabulary.ID_TOKEN_CLAIMS) or claims.get("token_use") == "id":
        return "id_token"
    if any(name in claims for name in vocabulary.ACCESS_TOKEN_CLAIMS):
        return "access_token"
    if any(name in claims for name in vocabulary.SIGN_IN_CLAIMS):
        return "id_token"
    is_assertion = "aud" in claims and "jti" in claims and isinstance(claims.get("iss"), str)
    return "client_assertion" if is_assertion and claims.get("iss") == claims.get("sub") else "signed_token"
