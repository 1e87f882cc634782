import msgspec
import pytest

from sealring_verify.claims import AccessToken
from sealring_verify.errors import InvalidToken
from sealring_verify.revocation_check import check_revoked, token_ids
from sealring_verify.revocation_feed import revocation_id
from sealring_verify.revoked_entries import RevokedEntries

TOKEN = AccessToken(
    iss="i", sub="u1", aud=("a",), exp=1600, iat=1000, jti="j1", client_id="web", scope=frozenset(), sid="s1"
)


def _refusal(entries: RevokedEntries, *, now: float, most: int | None = 600) -> InvalidToken:
    with pytest.raises(InvalidToken) as refused:
        check_revoked(TOKEN, token_ids(TOKEN, "k1"), entries=entries, max_access_token_lifetime=most, now=now)
    return refused.value


def test_a_refusal_tells_since_when_and_what_was_left() -> None:
    entries = RevokedEntries()
    entries.add(revocation_id("sid", "s1"), at=1016, until=None, epoch=0, now=0)
    refusal = _refusal(entries, now=1019)
    assert (refusal.code, refusal.message) == ("session_ended", "session_ended: 3 s ago, 9 min 41 s before it expires")
    # The clocks of issuer and verifier differ, and leeway lets a token live on.
    assert _refusal(entries, now=1010).message == "session_ended: 0 s ago, 9 min 50 s before it expires"
    assert _refusal(entries, now=9999).message == "session_ended: 2 h 29 min ago, 0 s before it expires"


def test_the_narrowest_reason_is_told_first() -> None:
    entries = RevokedEntries()
    codes = []
    for kind, value in (("kid", "k1"), ("client", "web"), ("sid", "s1"), ("jti", "j1")):
        entries.add(revocation_id(kind, value), at=1, until=None, epoch=9, now=0)  # type: ignore[arg-type] - a literal
        codes.append(_refusal(entries, now=1000).code)
    assert codes == ["key_withdrawn", "client_revoked", "session_ended", "token_revoked"]


def test_a_lifetime_of_the_whole_bound_passes_and_a_second_more_does_not() -> None:
    ids = token_ids(TOKEN, None)
    check_revoked(TOKEN, ids, entries=RevokedEntries(), max_access_token_lifetime=600, now=1000)
    check_revoked(TOKEN, ids, entries=RevokedEntries(), max_access_token_lifetime=None, now=1000)
    assert _refusal(RevokedEntries(), now=1000, most=599).code == "token_lifetime_exceeded"


def test_only_what_a_client_gets_in_its_own_name_has_no_session() -> None:
    orphan = msgspec.structs.replace(TOKEN, sid=None)
    with pytest.raises(InvalidToken) as refused:
        _check(orphan, RevokedEntries())
    assert (refused.value.code, refused.value.claim) == ("missing_claim", "sid")
    _check(msgspec.structs.replace(orphan, sub="web", client_epoch=5), RevokedEntries())


@pytest.mark.parametrize(
    ("kind", "value", "epoch", "code"),
    [
        ("jti", "j1", 0, "token_revoked"),
        ("client", "web", 6, "client_revoked"),
        ("kid", "k1", 0, "key_withdrawn"),
        ("client", "web", 5, None),
        ("sid", "web", 0, None),
    ],
)
def test_a_clients_own_token_ends_by_itself_by_its_clients_epoch_or_by_its_key(
    kind: str, value: str, epoch: int, code: str | None
) -> None:
    own = msgspec.structs.replace(TOKEN, sid=None, sub="web", client_epoch=5)
    entries = RevokedEntries()
    entries.add(revocation_id(kind, value), at=1, until=None, epoch=epoch, now=0)  # type: ignore[arg-type] - a literal
    if code is None:
        _check(own, entries)
        return
    with pytest.raises(InvalidToken) as refused:
        _check(own, entries)
    assert refused.value.code == code


def _check(token: AccessToken, entries: RevokedEntries) -> None:
    check_revoked(token, token_ids(token, "k1"), entries=entries, max_access_token_lifetime=600, now=1000)
