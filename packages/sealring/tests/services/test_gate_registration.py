from hashlib import sha256
from types import SimpleNamespace

import msgspec

from sealring.protocol.errors import OAuthError
from sealring.protocol.gate_registration import GateChange, GateRegistration
from sealring.services import client, gate_registration
from sealring.services.client import ClientNamed, RotateClientSecret
from sealring.services.gate import authenticate_proxy, find_gate
from sealring.services.gate_registration import GateKeyMade, GateNamed, GateRemoved, GateSeen


async def add(site: SimpleNamespace, host: str = "app.example", **members: object) -> GateKeyMade:
    request = msgspec.convert({"host": host, **members}, GateRegistration)
    made = await gate_registration.add_gate(
        request, store=site.store, clock=lambda: site.now, randomness=site.opened.house.randomness, actor="cli:root"
    )
    assert isinstance(made, GateKeyMade), made
    return made


async def rotate(site: SimpleNamespace) -> str:
    made = await gate_registration.rotate_gate_key(
        GateNamed(host="app.example"),
        store=site.store,
        clock=lambda: site.now,
        randomness=site.opened.house.randomness,
        actor="cli:root",
    )
    assert isinstance(made, GateKeyMade)
    return made.gate_key.reveal()


async def test_a_gate_is_added_listed_changed_and_removed_and_each_is_an_event(site: SimpleNamespace) -> None:
    made = await add(site, api="orders", scopes=["orders:read"])
    key = made.gate_key.reveal()
    assert key.startswith("slg_")
    kept = await find_gate("app.example", store=site.store)
    assert kept is not None
    assert kept.secret_digests == (sha256(key.encode()).digest(),)
    again = await gate_registration.add_gate(
        GateRegistration(host="app.example"),
        store=site.store,
        clock=lambda: site.now,
        randomness=site.opened.house.randomness,
        actor="cli:root",
    )
    assert isinstance(again, OAuthError)
    assert again.code == "already_registered"
    listed = await gate_registration.list_gates(store=site.store)
    assert [gate.host for gate in listed.gates] == ["app.example"]
    assert key not in repr(listed)
    change = GateChange(host="app.example", scopes=("orders:read", "orders:write"))
    changed = await gate_registration.update_gate(change, store=site.store, clock=lambda: site.now, actor="cli:root")
    assert isinstance(changed, GateSeen)
    assert changed.scopes == {"orders:read", "orders:write"}
    removed = await gate_registration.remove_gate(
        GateNamed(host="app.example"), store=site.store, clock=lambda: site.now, actor="cli:root"
    )
    assert removed == GateRemoved(host="app.example", sessions=0)
    assert [event.event for event in await site.events()][-3:] == ["gate_added", "gate_changed", "gate_removed"]


async def test_a_turned_key_leaves_the_one_before_good_until_the_next_turn(site: SimpleNamespace) -> None:
    first = (await add(site)).gate_key.reveal()
    second = await rotate(site)
    for key in (first, second):
        assert not isinstance(await authenticate_proxy(key, "app.example", store=site.store), OAuthError)
    third = await rotate(site)
    assert isinstance(await authenticate_proxy(first, "app.example", store=site.store), OAuthError)
    assert not isinstance(await authenticate_proxy(third, "app.example", store=site.store), OAuthError)


async def test_what_is_no_gate_is_not_found_and_left_alone(site: SimpleNamespace) -> None:
    for host in ("app.example", "shop", "", "gate~app.example", "[", "a" * 300):
        named = GateNamed(host=host)
        change = GateChange(host=host, name="x")
        outcomes = (
            await gate_registration.update_gate(change, store=site.store, clock=lambda: site.now, actor="cli:root"),
            await gate_registration.remove_gate(named, store=site.store, clock=lambda: site.now, actor="cli:root"),
        )
        assert [outcome.code for outcome in outcomes if isinstance(outcome, OAuthError)] == ["unknown_gate"] * 2


async def test_a_gate_is_changed_by_its_own_acts_alone(site: SimpleNamespace) -> None:
    await add(site)
    refused = await client.rotate_client_secret(
        RotateClientSecret(client_id="gate~app.example"),
        store=site.store,
        clock=lambda: site.now,
        randomness=site.opened.house.randomness,
        actor="cli:root",
    )
    assert isinstance(refused, OAuthError)
    assert refused.code == "invalid_registration"
    disabled = await client.set_client_disabled(
        ClientNamed(client_id="gate~app.example"), disabled=True, store=site.store, clock=lambda: site.now, actor="x"
    )
    assert not isinstance(disabled, OAuthError)
    assert await find_gate("app.example", store=site.store) is None


async def test_the_key_of_a_proxy_authenticates_no_client(site: SimpleNamespace) -> None:
    key = (await add(site, api="orders", scopes=["orders:read"])).gate_key.reveal()
    answer = await site.token("client_credentials", auth=("gate~app.example", key), scope="orders:read")
    assert (answer.status_code, answer.json()["code"]) == (401, "client_authentication_failed")
