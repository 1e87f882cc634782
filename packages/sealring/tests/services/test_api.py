import asyncio
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sealring.protocol.api import Api
from sealring.protocol.api_registration import ApiChange, ApiRegistration
from sealring.protocol.client_registration import ClientRegistration
from sealring.protocol.errors import OAuthError
from sealring.services.api import (
    ApiNamed,
    ApiSecretMade,
    ApiSeen,
    add_api,
    delete_api,
    list_apis,
    rotate_api_secret,
    show_api,
    update_api,
)
from sealring.services.client import add_client
from sealring.services.desk import Desk

ORDERS = ApiRegistration(identifier="orders", scopes={"orders:read": "See", "orders:write": "Change"})
NAMED = ApiNamed(identifier="orders")


def hearing(desk: Desk) -> dict[str, Any]:
    return {"store": desk.store, "readers": None, "clock": desk.clock}


def acting(desk: Desk) -> Mapping[str, Any]:
    return {"store": desk.store, "clock": desk.clock, "actor": "cli:root"}


async def add(desk: Desk) -> ApiSecretMade:
    made = await add_api(ORDERS, keys=desk.keys, randomness=desk.randomness, **acting(desk))
    assert isinstance(made, ApiSecretMade)
    return made


async def stored(desk: Desk) -> Api:
    api = await desk.store.apis.find("orders")
    assert api is not None
    return api


async def change(desk: Desk, **members: object) -> ApiSeen | OAuthError:
    return await update_api(
        ApiChange(**{"identifier": "orders", **members}), keys=desk.keys, issuer=desk.issuer, **acting(desk)
    )


def code_of(outcome: object) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


async def test_an_api_gets_one_secret_that_is_stored_as_its_digest(desk: Desk) -> None:
    made = await add(desk)
    secret = made.api_key.reveal()
    assert secret.startswith("sla_")
    assert (await stored(desk)).secret_digests == (sha256(secret.encode()).digest(),)
    assert await show_api(NAMED, **hearing(desk)) == made.api
    assert (await list_apis(**hearing(desk))).apis == (made.api,)


async def test_an_identifier_is_given_once(desk: Desk) -> None:
    await add(desk)
    assert (
        code_of(await add_api(ORDERS, keys=desk.keys, randomness=desk.randomness, **acting(desk)))
        == "already_registered"
    )


async def test_two_secrets_are_good_at_a_time(desk: Desk) -> None:
    await add(desk)
    first = (await stored(desk)).secret_digests[0]
    for _ in range(2):
        made = await rotate_api_secret(NAMED, randomness=desk.randomness, **acting(desk))
        assert isinstance(made, ApiSecretMade)
        assert made.api.secrets == 2
    assert first not in (await stored(desk)).secret_digests


async def test_a_change_is_kept_and_recorded(desk: Desk) -> None:
    await add(desk)
    changed = await change(desk, claims=("roles",), access_token_lifetime=60)
    assert isinstance(changed, ApiSeen)
    assert (await stored(desk)).claims == ("roles",)
    events = await desk.store.audit.list_events(after=0, limit=10)
    assert [(recorded.event.event, recorded.event.api) for _, recorded in events] == [
        ("api_added", "orders"),
        ("api_changed", "orders"),
    ]


async def test_what_a_client_may_still_ask_for_stays(desk: Desk) -> None:
    await add(desk)
    registration = ClientRegistration(client_id="shop", type="public", allowed={"orders": ("orders:write",)})
    await add_client(registration, randomness=desk.randomness, issuer=desk.issuer, **acting(desk))
    assert code_of(await change(desk, scopes={"orders:read": "See"})) == "still_in_use"
    assert code_of(await delete_api(NAMED, keys=desk.keys, issuer=desk.issuer, **acting(desk))) == "still_in_use"
    assert isinstance(await change(desk, scopes={"orders:write": "Change"}), ApiSeen)


async def test_the_issuers_own_api_keeps_its_scopes_and_is_not_deleted(desk: Desk) -> None:
    own = Api(identifier=desk.issuer, scopes={"sessions": "Sessions"}, created_at=desk.clock())
    await desk.store.apis.add(own, events=[])
    refused = await change(desk, identifier=desk.issuer, scopes={"sessions": "", "more": ""})
    assert code_of(refused) == "invalid_registration"
    assert isinstance(await change(desk, identifier=desk.issuer, scopes={"sessions": "Yours"}), ApiSeen)
    named = ApiNamed(identifier=desk.issuer)
    assert (
        code_of(await delete_api(named, keys=desk.keys, issuer=desk.issuer, **acting(desk))) == "invalid_registration"
    )


async def test_an_api_that_nobody_uses_is_deleted(desk: Desk) -> None:
    await add(desk)
    assert await delete_api(NAMED, keys=desk.keys, issuer=desk.issuer, **acting(desk)) == NAMED
    assert await desk.store.apis.find("orders") is None


async def test_acts_on_an_unknown_api_are_refused(desk: Desk) -> None:
    outcomes = [
        await show_api(NAMED, **hearing(desk)),
        await change(desk),
        await rotate_api_secret(NAMED, randomness=desk.randomness, **acting(desk)),
        await delete_api(NAMED, keys=desk.keys, issuer=desk.issuer, **acting(desk)),
    ]
    assert {code_of(outcome) for outcome in outcomes} == {"unknown_api"}


async def test_of_two_changes_at_once_the_later_one_is_told_and_undoes_nothing(desk: Desk) -> None:
    await add(desk)
    outcomes = await asyncio.gather(change(desk, byte_budget=1024), change(desk, access_token_lifetime=300))
    assert isinstance(outcomes[0], ApiSeen)
    assert code_of(outcomes[1]) == "changed_meanwhile"
    api = await desk.store.apis.find("orders")
    assert api is not None
    assert (api.byte_budget, api.access_token_lifetime) == (1024, 600)


async def test_an_api_with_opaque_tokens_is_never_the_issuers_own(desk: Desk) -> None:
    registration = ApiRegistration(identifier=desk.issuer, scopes={"sessions": "See"}, access_token_format="opaque")
    assert code_of(await add_api(registration, keys=desk.keys, randomness=desk.randomness, **acting(desk))) == (
        "invalid_registration"
    )
    made = await add_api(
        ApiRegistration(identifier="letters", scopes={"letters:read": "See"}, access_token_format="opaque"),
        keys=desk.keys,
        randomness=desk.randomness,
        **acting(desk),
    )
    assert isinstance(made, ApiSecretMade)
    assert (made.api.access_token_format, made.symmetric) == ("opaque", None)
    assert code_of(await change(desk, identifier="letters", access_token_signing_alg="RS256")) == "invalid_registration"
