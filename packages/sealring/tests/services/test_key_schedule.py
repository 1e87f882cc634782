import os

from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import StoredKey
from sealring.services.desk import Desk
from sealring.services.key_schedule import complete_key_stock
from sealring.signing.keyring import make_key_forge
from sealring.signing.master_key import generate_master_key

NOW = Instant(1_700_000_000_000)


async def complete(desk: Desk) -> tuple[StoredKey, ...]:
    master_key = generate_master_key(randomness=os.urandom)
    forge = make_key_forge(master_key=master_key, issuer=desk.issuer, randomness=os.urandom)
    return await complete_key_stock(store=desk.store, forge=forge, now=NOW)


async def test_an_empty_store_gets_a_signing_key_one_in_waiting_a_mac_key_and_a_feed_key(desk: Desk) -> None:
    keys = await complete(desk)
    assert sorted((key.purpose, key.state) for key in keys) == [
        ("access_token", "active"),
        ("access_token", "pending"),
        ("feed", "active"),
        ("mac", "active"),
    ]
    assert all((key.public_jwk is None) == (key.purpose == "mac") for key in keys)
    events = await desk.store.audit.list_events(after=-1, limit=10)
    assert [event.event.event for _, event in events] == ["key_added"] * 4


async def test_a_full_stock_is_left_alone(desk: Desk) -> None:
    keys = await complete(desk)
    assert await complete(desk) == keys
    assert len(await desk.store.audit.list_events(after=-1, limit=10)) == 4
