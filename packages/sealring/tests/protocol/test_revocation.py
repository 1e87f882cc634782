from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.api import Api
from sealring.protocol.instant import Instant, later
from sealring.protocol.revocation import FIRST_DIGEST, Revocation, extend_digest, feed_entries

NOW = Instant(1_700_000_000_000)
ORDERS = Api(identifier="orders", scopes={"orders:read": ""}, created_at=NOW)
BILLING = Api(identifier="billing", scopes={"billing:read": ""}, access_token_lifetime=3600, created_at=NOW)
KNOWN = (ORDERS, BILLING)


def test_each_audience_gets_an_entry_of_its_own() -> None:
    revocation = Revocation(kind="sid", value="s1", at=NOW, audiences=frozenset({"orders", "billing", "gone"}))
    told = feed_entries([revocation], apis=KNOWN, after=6)
    assert [(entry.number, entry.audience) for entry in told] == [(7, "billing"), (8, "orders")]
    assert [entry.until for entry in told] == [later(NOW, 3900), later(NOW, 900)]


def test_what_concerns_everybody_lives_as_long_as_the_longest_token() -> None:
    (entry,) = feed_entries([Revocation(kind="client", value="c", epoch=3, at=NOW)], apis=KNOWN, after=0)
    assert (entry.audience, entry.epoch, entry.until) == (None, 3, later(NOW, 3900))


def test_a_withdrawn_key_is_never_forgotten() -> None:
    (entry,) = feed_entries([Revocation(kind="kid", value="k7", at=NOW)], apis=KNOWN, after=0)
    assert entry.until is None


@given(st.permutations([Revocation(kind="jti", value=f"t{n}", at=NOW) for n in range(4)]))
def test_another_order_is_another_history(revocations: list[Revocation]) -> None:
    def digest(given: list[Revocation]) -> bytes:
        found = FIRST_DIGEST
        for entry in feed_entries(given, apis=KNOWN, after=0):
            found = extend_digest(found, entry)
        return found

    ordered = sorted(revocations, key=lambda revocation: revocation.value)
    assert (digest(revocations) == digest(ordered)) == (revocations == ordered)
