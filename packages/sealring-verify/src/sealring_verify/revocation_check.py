"""Judges a verified token by what the feed says was ended, pure."""

import msgspec

from sealring_verify.claims import AccessToken
from sealring_verify.errors import InvalidToken
from sealring_verify.revocation_feed import revocation_id
from sealring_verify.revoked_entries import RevokedEntries


class TokenIds(msgspec.Struct, frozen=True):
    """The ids under which the feed could name a token: 16 octets each."""

    jti: bytes
    sid: bytes | None
    sub: bytes
    client: bytes
    kid: bytes | None


def token_ids(access_token: AccessToken, kid: str | None) -> TokenIds:
    """Give the ids of a token that was signed under `kid`."""
    return TokenIds(
        jti=revocation_id("jti", access_token.jti),
        sid=None if access_token.sid is None else revocation_id("sid", access_token.sid),
        sub=revocation_id("sub", access_token.sub),
        client=revocation_id("client", access_token.client_id),
        kid=None if kid is None else revocation_id("kid", kid),
    )


def check_revoked(
    access_token: AccessToken,
    ids: TokenIds,
    *,
    entries: RevokedEntries,
    max_access_token_lifetime: int | None,
    now: float,
) -> None:
    """Refuse a token that was ended. `now`: seconds since 1970, for the message alone.

    Raises InvalidToken: token_revoked, session_ended, client_revoked, key_withdrawn, token_lifetime_exceeded, and
    missing_claim where the token names no session although it is not in its client's own name.
    """
    if access_token.sid is None and access_token.sub != access_token.client_id:
        # RFC 9068 §2.2: what a client gets for itself has the client for `sub`. Any other's end would never be known.
        raise InvalidToken("missing_claim", "sid")
    if (at := _ended(entries, ids.jti)) is not None:
        raise InvalidToken("token_revoked", None, _explanation("token_revoked", at, access_token.exp, now=now))
    at = _ended(entries, ids.sid)
    if at is None:
        at = _ended_below(entries, ids.sub, access_token.sub_epoch)
    if at is not None:
        raise InvalidToken("session_ended", None, _explanation("session_ended", at, access_token.exp, now=now))
    if (at := _ended_below(entries, ids.client, access_token.client_epoch)) is not None:
        raise InvalidToken("client_revoked", None, _explanation("client_revoked", at, access_token.exp, now=now))
    if (at := _ended(entries, ids.kid)) is not None:
        raise InvalidToken("key_withdrawn", None, _explanation("key_withdrawn", at, access_token.exp, now=now))
    lifetime = access_token.exp - access_token.iat
    if max_access_token_lifetime is not None and lifetime > max_access_token_lifetime:
        raise InvalidToken(
            "token_lifetime_exceeded",
            "exp",
            f"The token lives {lifetime} s, and none for this API lives longer than {max_access_token_lifetime} s.",
        )


def _ended(entries: RevokedEntries, identifier: bytes | None) -> int | None:
    found = None if identifier is None else entries.find(identifier)
    return None if found is None else found[0]


def _ended_below(entries: RevokedEntries, identifier: bytes, epoch: int | None) -> int | None:
    found = entries.find(identifier)
    stopped = found is not None and (epoch is None or epoch < found[1])
    return found[0] if found is not None and stopped else None


def _explanation(code: str, at: int, exp: int, *, now: float) -> str:
    # The code stands in the sentence too: a WWW-Authenticate header has no other place for it.
    return f"{code}: {_duration(now - at)} ago, {_duration(exp - now)} before it expires"


def _duration(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
