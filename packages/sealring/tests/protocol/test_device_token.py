import pytest

from sealring.protocol.device_token import find_known_device, mint_device_token
from sealring.protocol.instant import Instant

KEY = b"k" * 32
ISSUER = "https://id.example"
NOW = Instant(1_700_000_000_000)
DAY = 24 * 3600 * 1000
DEVICE = b"d" * 15


def mint(*, sub: str = "u1", device_key: bytes = KEY, issuer: str = ISSUER) -> str:
    return mint_device_token(device_key=device_key, issuer=issuer, sub=sub, device_id=DEVICE, now=NOW).reveal()


def find(text: str, *, sub: str | None = "u1", device_keys: tuple[bytes, ...] = (KEY,), now: int = NOW) -> bytes | None:
    return find_known_device(text, device_keys=device_keys, issuer=ISSUER, sub=sub, now=Instant(now))


def test_a_token_knows_its_device_for_90_days() -> None:
    assert mint().startswith("sld_")
    assert find(mint()) == DEVICE
    assert find(mint(), now=NOW + 90 * DAY - 1000) == DEVICE
    assert find(mint(), now=NOW + 90 * DAY) is None
    assert find(mint(), now=NOW - 1000) is None


def test_a_token_of_another_account_key_or_issuer_knows_nobody() -> None:
    assert find(mint(sub="u2")) is None
    assert find(mint(), sub=None) is None
    assert find(mint(sub=""), sub=None) is None
    assert find(mint(device_key=b"x" * 32)) is None
    assert find(mint(issuer="https://other.example")) is None


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_token_is_known_under_whichever_accepted_key_it_was_made(place: int) -> None:
    keys = tuple(bytes([number]) * 32 for number in range(3))
    assert find(mint(device_key=keys[place]), device_keys=keys) == DEVICE
    assert find(mint(device_key=keys[place]), device_keys=keys[:place] + keys[place + 1 :]) is None
    assert find(mint(), device_keys=()) is None


@pytest.mark.parametrize("text", ["", "sld_", "sld_" + "A" * 48, "slr_" + "A" * 48, "sld_" + "A" * 47, "é" * 52])
def test_garbled_texts_know_nobody(text: str) -> None:
    assert find(text) is None


def test_each_changed_character_breaks_it() -> None:
    token = mint()
    for place in range(4, len(token)):
        assert find(token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]) is None


def test_the_text_names_no_account_and_shows_itself_to_no_log() -> None:
    made = mint_device_token(device_key=KEY, issuer=ISSUER, sub="u1", device_id=DEVICE, now=NOW)
    assert "sld_" not in repr(made)
