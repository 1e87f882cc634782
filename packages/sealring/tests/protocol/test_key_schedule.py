import itertools

from msgspec.structs import replace

from sealring.protocol.key_schedule import KeysMissing, StoredKey, missing_keys, published_keys

SIGNING = StoredKey(
    kid="thumb-1",
    purpose="access_token",
    alg="ES256",
    state="active",
    mac_key_id=None,
    sealed=b"sealed",
    public_jwk=b"{}",
    created_at=1,
)
PENDING = replace(SIGNING, kid="thumb-2", state="pending")
MAC = replace(SIGNING, kid="mac-0", purpose="mac", alg="HS256", mac_key_id=0, public_jwk=None)
FEED = replace(SIGNING, kid="thumb-3", purpose="feed")
STOCK = {
    ("access_token", "active"): SIGNING,
    ("access_token", "pending"): PENDING,
    ("mac", "active"): MAC,
    ("feed", "active"): FEED,
}


def test_a_complete_stock_lacks_nothing_and_an_empty_one_everything() -> None:
    assert missing_keys((SIGNING, PENDING, MAC, FEED)) == KeysMissing(places=())
    assert missing_keys(()) == KeysMissing(places=tuple(STOCK))


def test_exactly_the_missing_places_are_named() -> None:
    for size in range(len(STOCK) + 1):
        for held in itertools.combinations(STOCK, size):
            missing = missing_keys(tuple(STOCK[place] for place in held))
            assert missing.places == tuple(place for place in STOCK if place not in held)


def test_a_retired_key_fills_no_place() -> None:
    retired = (replace(SIGNING, state="retired"), replace(SIGNING, state="retiring"), PENDING, MAC, FEED)
    assert missing_keys(retired).places == (("access_token", "active"),)


def test_pending_and_retiring_keys_are_published_and_mac_keys_never() -> None:
    states = [replace(SIGNING, kid=state, state=state) for state in ("pending", "active", "retiring", "retired")]
    assert [key.kid for key in published_keys((*states, MAC, FEED), "access_token")] == [
        "pending",
        "active",
        "retiring",
    ]


def test_feed_keys_are_published_apart() -> None:
    assert published_keys((SIGNING, PENDING, MAC, FEED), "feed") == (FEED,)
