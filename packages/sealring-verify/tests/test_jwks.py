import json

import pytest

from sealring_verify.issuer_metadata import IssuerMetadata
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.jwks import FetchedJwks, JwksPolicy, JwksState

POLICY = JwksPolicy()
METADATA = IssuerMetadata(jwks_uri="https://i.example/jwks", introspection_endpoint=None)
DOCUMENT = json.dumps({"keys": [generate_private_key("ES256", kid="k1").public_jwk()]}).encode()
OTHER = json.dumps({"keys": [generate_private_key("ES256", kid="k2").public_jwk()]}).encode()


def _answer(document: bytes = DOCUMENT, cache_control: str | None = None) -> FetchedJwks:
    return FetchedJwks(metadata=METADATA, document=document, cache_control=cache_control)


def _fetched(at: float = 1000, cache_control: str | None = None) -> JwksState:
    return JwksState().fetched(_answer(cache_control=cache_control), policy=POLICY, now=at)


def _due(state: JwksState, now: float, *, unknown_key: bool = False) -> bool:
    return state.fetch_is_due(unknown_key=unknown_key, policy=POLICY, now=now)


def test_without_keys_a_fetch_is_due_and_nothing_usable() -> None:
    empty = JwksState()
    assert empty.freshness(policy=POLICY, now=0) == "empty"
    assert empty.usable_keys(policy=POLICY, now=0) is None
    assert _due(empty, 0)


def test_keys_go_from_fresh_to_stale_to_expired() -> None:
    state = _fetched()
    seen = [state.freshness(policy=POLICY, now=now) for now in (1000, 1299, 1300, 4899, 4900)]
    assert seen == ["fresh", "fresh", "stale", "stale", "expired"]
    assert state.usable_keys(policy=POLICY, now=4899) is state.keys
    assert state.usable_keys(policy=POLICY, now=4900) is None
    assert [_due(state, now) for now in (1239, 1240, 1299, 1300, 4900)] == [False, True, True, True, True]


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        (None, 300),
        ("", 300),
        ("public", 300),
        ("max-age=600", 600),
        ("public, max-age=600, must-revalidate", 600),
        ("Max-Age=600", 600),
        ('max-age="600"', 600),
        ("s-maxage=600", 300),
        ("max-age=0", 30),
        ("no-store, max-age=0", 30),
        ("no-store", 30),
        ("no-cache, max-age=600", 30),
        ("max-age=999999999", 3600),
        ("max-age=99999999999999999999", 300),
        ("max-age=-1", 300),
        ("max-age=x", 300),
    ],
)
def test_max_age_is_honoured_within_bounds(cache_control: str | None, seconds: int) -> None:
    assert _fetched(0, cache_control).fresh_until == seconds


def test_what_a_cache_on_the_way_held_it_for_is_taken_off() -> None:
    held = FetchedJwks(metadata=METADATA, document=DOCUMENT, cache_control="max-age=600", age="500")
    assert JwksState().fetched(held, policy=POLICY, now=0).fresh_until == 100
    expiring = FetchedJwks(
        metadata=METADATA,
        document=DOCUMENT,
        cache_control=None,
        date="Wed, 25 Nov 2026 10:00:00 GMT",
        expires="Wed, 25 Nov 2026 10:20:00 GMT",
    )
    assert JwksState().fetched(expiring, policy=POLICY, now=0).fresh_until == 1200


def test_an_unknown_key_makes_one_fetch_per_pause() -> None:
    state = _fetched(1000)
    assert not _due(state, 1009, unknown_key=True)
    assert _due(state, 1010, unknown_key=True)
    again = state.fetched(_answer(), policy=POLICY, now=1010)
    assert not _due(again, 1019, unknown_key=True)


def test_a_failure_pauses_and_keeps_the_last_good_set() -> None:
    state = _fetched(1000).failed("down", now=1300)
    assert state.last_error == "down"
    assert not _due(state, 1304)
    assert _due(state, 1305)
    assert state.usable_keys(policy=POLICY, now=1305) is not None
    for now in range(1305, 4900, 5):
        state = state.failed("down", now=now)
    assert state.usable_keys(policy=POLICY, now=4899) is not None
    assert state.usable_keys(policy=POLICY, now=4900) is None
    assert state.fetched(_answer(), policy=POLICY, now=5000).last_error is None


def test_a_first_failure_pauses_as_well() -> None:
    state = JwksState().failed("down", now=0)
    assert not _due(state, 4)
    assert not _due(state, 4, unknown_key=True)
    assert _due(state, 5)


def test_the_same_document_keeps_the_same_set_and_another_replaces_it() -> None:
    state = _fetched(1000)
    assert state.fetched(_answer(), policy=POLICY, now=1300).keys is state.keys
    replaced = state.fetched(_answer(OTHER), policy=POLICY, now=1300)
    assert replaced.keys is not state.keys
    assert [key.kid for key in replaced.keys.keys] == ["k2"]


def test_a_document_that_is_no_set_changes_nothing() -> None:
    with pytest.raises(ValueError, match=r"JSON"):
        _fetched().fetched(_answer(b"<html>"), policy=POLICY, now=1300)
