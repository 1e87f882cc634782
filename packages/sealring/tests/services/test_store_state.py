from sealring.protocol.errors import OAuthError
from sealring.services.desk import Desk
from sealring.services.store_state import StoreRecovered, read_status, recover_store


async def test_the_status_names_the_store_and_counts_what_is_in_it(desk: Desk) -> None:
    status = await read_status(store=desk.store, issuer=desk.issuer, clock=desk.clock)
    identity = await desk.store.state.identity()
    assert status.incarnation == identity.incarnation.hex()
    assert (status.issuer, status.sessions, status.clients, status.apis) == (desk.issuer, 0, 0, 0)


async def test_recovering_begins_an_incarnation_that_is_remembered_outside(desk: Desk) -> None:
    remembered: list[tuple[bytes, int]] = []
    before = await desk.store.state.identity()
    recovered = await recover_store(
        store=desk.store,
        remember=lambda incarnation, feed_number: remembered.append((incarnation, feed_number)),
        clock=desk.clock,
        randomness=desk.randomness,
        actor="cli:root",
    )
    after = await desk.store.state.identity()
    assert recovered == StoreRecovered(incarnation=after.incarnation.hex(), sessions=0)
    assert after.incarnation != before.incarnation
    assert remembered == [(after.incarnation, after.feed_number)]
    (_, recorded), *_ = await desk.store.audit.list_events(after=0, limit=10)
    assert recorded.event.event == "store_recovered"


async def test_a_running_server_is_not_recovered_under_its_own_feet(desk: Desk) -> None:
    before = await desk.store.state.identity()
    refused = await recover_store(
        store=desk.store, remember=None, clock=desk.clock, randomness=desk.randomness, actor="cli:root"
    )
    assert isinstance(refused, OAuthError)
    assert refused.code == "server_running"
    assert await desk.store.state.identity() == before
