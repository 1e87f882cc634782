import asyncio
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from sealring.protocol.api_registration import ApiRegistration
from sealring.protocol.client import Client
from sealring.protocol.client_registration import ClientChange, ClientRegistration
from sealring.protocol.code_flow_registration import CodeFlowChosen
from sealring.protocol.errors import OAuthError
from sealring.protocol.user import User
from sealring.services.api import add_api
from sealring.services.client import (
    ClientAdded,
    ClientEnded,
    ClientNamed,
    ClientSecretMade,
    ClientSeen,
    ClientUpdated,
    RotateClientSecret,
    add_client,
    delete_client,
    list_clients,
    rotate_client_secret,
    set_client_disabled,
    show_client,
    update_client,
)
from sealring.services.desk import Desk
from sealring.services.key_schedule import complete_key_stock

SHOP = ClientRegistration(
    client_id="shop", type="confidential", allowed={"orders": ("orders:read",)}, origins=("https://shop.example",)
)

OLD = Client(client_id="shop", name="Shop", type="confidential", allowed={}, epoch=1, created_at=1)


def acting(desk: Desk) -> Mapping[str, Any]:
    return {"store": desk.store, "clock": desk.clock, "actor": "cli:root"}


async def add(desk: Desk, **members: object) -> ClientAdded | OAuthError:
    await add_api(
        ApiRegistration(identifier="orders", scopes={"orders:read": "", "orders:write": ""}),
        keys=desk.keys,
        randomness=desk.randomness,
        **acting(desk),
    )
    registration = msgspec.structs.replace(SHOP, **members)
    return await add_client(registration, keys=desk.keys, randomness=desk.randomness, **acting(desk))


async def rotate(desk: Desk) -> ClientSecretMade | OAuthError:
    return await rotate_client_secret(RotateClientSecret(client_id="shop"), randomness=desk.randomness, **acting(desk))


async def stored(desk: Desk) -> Client:
    client = await desk.store.clients.find("shop")
    assert client is not None
    return client


async def event_names(desk: Desk) -> list[str]:
    return [recorded.event.event for _, recorded in await desk.store.audit.list_events(after=0, limit=100)]


def code_of(outcome: object) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


async def test_a_confidential_client_gets_a_secret_that_is_stored_as_its_digest(desk: Desk) -> None:
    added = await add(desk)
    assert isinstance(added, ClientAdded)
    assert added.client_secret is not None
    secret = added.client_secret.reveal()
    assert secret.startswith("slc_")
    assert (await stored(desk)).secret_digests == (sha256(secret.encode()).digest(),)
    assert secret not in repr(added)
    assert await event_names(desk) == ["api_added", "client_added"]


async def test_a_public_client_gets_none(desk: Desk) -> None:
    added = await add(desk, type="public")
    assert isinstance(added, ClientAdded)
    assert added.client_secret is None
    assert code_of(await rotate(desk)) == "invalid_registration"


async def test_an_id_is_given_once(desk: Desk) -> None:
    await add(desk)
    assert code_of(await add(desk)) == "already_registered"


async def test_cookies_are_for_pages_of_the_issuers_own_site(desk: Desk) -> None:
    page: dict[str, object] = {"type": "public", "token_delivery": "cookie"}
    refused = await add(desk, **page, origins=("https://shop.example",))
    assert isinstance(refused, OAuthError)
    assert refused.code == "invalid_registration"
    assert "https://shop.example/auth" in refused.description
    assert isinstance(await add(desk, **page, origins=(desk.issuer,)), ClientAdded)
    change = ClientChange(client_id="shop", origins=("https://shop.example",))
    assert (
        code_of(await update_client(change, keys=desk.keys, issuer=desk.issuer, **acting(desk)))
        == "invalid_registration"
    )


@pytest.mark.parametrize("origin", ["https://shop.example/", "http://shop.example", "https://*.example", "null"])
async def test_what_no_browser_sends_is_no_origin(desk: Desk, origin: str) -> None:
    assert code_of(await add(desk, origins=(origin,))) == "invalid_registration"
    await add(desk)
    change = ClientChange(client_id="shop", origins=(origin,))
    assert (
        code_of(await update_client(change, keys=desk.keys, issuer=desk.issuer, **acting(desk)))
        == "invalid_registration"
    )


async def test_a_client_is_shown_without_its_secrets(desk: Desk) -> None:
    added = await add(desk)
    assert isinstance(added, ClientAdded)
    shown = await show_client(ClientNamed(client_id="shop"), store=desk.store)
    assert shown == added.client
    assert (await list_clients(store=desk.store)).clients == (added.client,)
    assert isinstance(shown, ClientSeen)
    assert shown.secrets == 1
    assert b"digest" not in msgspec.json.encode(shown)


async def test_two_secrets_are_good_and_the_older_one_leaves_on_the_next_rotation(desk: Desk) -> None:
    await add(desk)
    first = (await stored(desk)).secret_digests[0]
    made = await rotate(desk)
    assert isinstance(made, ClientSecretMade)
    second = sha256(made.client_secret.reveal().encode()).digest()
    assert (await stored(desk)).secret_digests == (second, first)
    await rotate(desk)
    third, kept = (await stored(desk)).secret_digests
    assert kept == second
    assert third not in {first, second}


async def test_a_change_keeps_secrets_epoch_and_birth(desk: Desk) -> None:
    await add(desk)
    before = await stored(desk)
    change = ClientChange(client_id="shop", allowed={"orders": ("orders:write",)}, first_party=True)
    assert isinstance(await update_client(change, keys=desk.keys, issuer=desk.issuer, **acting(desk)), ClientSeen)
    after = await stored(desk)
    assert after == msgspec.structs.replace(before, allowed={"orders": frozenset({"orders:write"})}, first_party=True)


async def test_a_change_to_a_scope_that_does_not_exist_is_refused(desk: Desk) -> None:
    await add(desk)
    change = ClientChange(client_id="shop", allowed={"orders": ("orders:delete",)})
    assert (
        code_of(await update_client(change, keys=desk.keys, issuer=desk.issuer, **acting(desk)))
        == "invalid_registration"
    )


async def test_a_client_is_disabled_enabled_and_deleted(desk: Desk) -> None:
    await add(desk)
    named = ClientNamed(client_id="shop")
    outcome = await set_client_disabled(named, disabled=True, **acting(desk))
    assert outcome == ClientEnded(client_id="shop", sessions=0)
    assert (await stored(desk)).disabled_at == desk.clock()
    await set_client_disabled(named, disabled=False, **acting(desk))
    assert (await stored(desk)).disabled_at is None
    await delete_client(named, **acting(desk))
    assert await desk.store.clients.find("shop") is None
    assert (await event_names(desk))[2:] == ["client_disabled", "client_enabled", "client_deleted"]


async def test_acts_on_an_unknown_client_are_refused(desk: Desk) -> None:
    named = ClientNamed(client_id="nobody")
    outcomes = [
        await show_client(named, store=desk.store),
        await update_client(ClientChange(client_id="nobody"), keys=desk.keys, issuer=desk.issuer, **acting(desk)),
        await rotate_client_secret(RotateClientSecret(client_id="nobody"), randomness=desk.randomness, **acting(desk)),
        await set_client_disabled(named, disabled=True, **acting(desk)),
        await delete_client(named, **acting(desk)),
    ]
    assert {code_of(outcome) for outcome in outcomes} == {"unknown_client"}


async def test_of_two_changes_at_once_the_later_one_is_told_and_undoes_nothing(desk: Desk) -> None:
    await add(desk)
    outcomes = await asyncio.gather(
        update_client(
            ClientChange(client_id="shop", name="Renamed"), keys=desk.keys, issuer=desk.issuer, **acting(desk)
        ),
        update_client(
            ClientChange(client_id="shop", grace_window=20), keys=desk.keys, issuer=desk.issuer, **acting(desk)
        ),
    )
    assert isinstance(outcomes[0], ClientSeen)
    assert code_of(outcomes[1]) == "changed_meanwhile"
    assert ((await stored(desk)).name, (await stored(desk)).grace_window) == ("Renamed", 10)


async def test_a_client_never_has_the_id_of_a_person(desk: Desk) -> None:
    await add(desk)
    person = User(sub="ada", claims={}, epoch=1, created_at=1)
    assert await desk.store.users.add_subject(person, events=[]) is not None
    assert code_of(await add(desk, client_id="ada")) == "already_registered"
    # Nor that of one who is gone: tokens that were made before are still about.
    await desk.store.users.delete("ada", now=desk.clock(), events=[])
    assert code_of(await add(desk, client_id="ada")) == "already_registered"


async def test_where_a_person_had_the_id_before_the_client_never_works_in_its_own_name(desk: Desk) -> None:
    # As a store may be that was written before clients had tokens of their own.
    await desk.store.users.add_subject(User(sub="shop", claims={}, epoch=1, created_at=1), events=[])
    database = desk.store.clients._database  # type: ignore[attr-defined] - the SQLite store
    row = {"client_id": "shop", "registration": msgspec.json.encode(OLD).decode(), "epoch": 1, "created_at": 1}
    write = "INSERT INTO clients VALUES (:client_id, :registration, :epoch, NULL, NULL, :created_at)"
    await database.act(lambda connection, _journal: connection.execute(write, row).fetchall())
    change = ClientChange(client_id="shop", client_credentials=True)
    assert (
        code_of(await update_client(change, keys=desk.keys, issuer=desk.issuer, **acting(desk))) == "already_registered"
    )
    assert isinstance(
        await update_client(
            ClientChange(client_id="shop", name="Other"), keys=desk.keys, issuer=desk.issuer, **acting(desk)
        ),
        ClientSeen,
    )


async def test_grant_and_method_are_seen_as_they_were_registered(desk: Desk) -> None:
    added = await add(desk, client_credentials=True, token_endpoint_auth_method="client_secret_post")
    assert isinstance(added, ClientAdded)
    assert added.client.client_credentials
    assert added.client.token_endpoint_auth_method == "client_secret_post"
    change = ClientChange(client_id="shop", client_credentials=False)
    seen = await update_client(change, keys=desk.keys, issuer=desk.issuer, **acting(desk))
    assert isinstance(seen, ClientUpdated)
    assert not seen.client_credentials
    assert {(lost.api, lost.accepted_until) for lost in seen.taken_away} == {("orders", desk.clock() + 600_000)}
    assert not (await stored(desk)).client_credentials


async def signing_algorithms(desk: Desk) -> set[str]:
    stock = await desk.store.keys.stock()
    return {key.alg for key in stock.keys if key.purpose == "access_token" and key.state == "active"}


async def test_a_key_of_the_algorithm_of_a_clients_id_tokens_is_at_work_before_anybody_signs_in(desk: Desk) -> None:
    await complete_key_stock(store=desk.store, terms=desk.keys.terms, now=desk.clock())
    assert await signing_algorithms(desk) == {"ES256"}
    flow = CodeFlowChosen(redirect_uris=("https://shop.example/callback",), id_token_signed_response_alg="Ed25519")
    assert isinstance(await add(desk, code_flow=flow), ClientAdded)
    assert "Ed25519" in await signing_algorithms(desk)
    change = ClientChange(client_id="shop", code_flow=CodeFlowChosen(userinfo_signed_response_alg="PS256"))
    assert isinstance(await update_client(change, keys=desk.keys, issuer=desk.issuer, **acting(desk)), ClientUpdated)
    assert await signing_algorithms(desk) >= {"Ed25519", "PS256"}
