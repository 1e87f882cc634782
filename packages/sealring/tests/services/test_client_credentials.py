import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.client_authentication import NoSecret
from sealring.protocol.errors import OAuthError
from sealring.protocol.token_request import ClientCredentialsRequest
from sealring.protocol.token_response import TokenResponse
from sealring.services.client_credentials import grant_client_credentials
from sealring_verify.jose.base64url import decode


async def grant(site: SimpleNamespace, scope: str = "orders:read", resource: str | None = None) -> Any:  # noqa: ANN401 -- a response or a refusal
    house = site.opened.house
    request = ClientCredentialsRequest(
        credentials=NoSecret(client_id="robot"), scope=frozenset(scope.split()), resource=resource
    )
    return await grant_client_credentials(
        request,
        await robot(site),
        Caller(network="127.0.0.0/24", user_agent=None),
        store=house.store,
        signer=house.signer,
        now=house.clock(),
        randomness=house.randomness,
        activity=None,
    )


async def robot(site: SimpleNamespace) -> Client:
    client = await site.store.clients.find("robot")
    assert isinstance(client, Client)
    return client


def claims_of(access_token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(decode(access_token.split(".")[1].encode()))
    return claims


async def test_a_client_gets_a_token_in_its_own_name_and_nothing_to_refresh_it_with(site: SimpleNamespace) -> None:
    response = await grant(site)
    assert isinstance(response, TokenResponse)
    assert json.loads(msgspec.json.encode(response)).keys() == {"access_token", "token_type", "expires_in", "scope"}
    claims = claims_of(response.access_token)
    assert (claims["sub"], claims["client_id"], claims["aud"]) == ("robot", "robot", "orders")
    assert {"sid", "sub_epoch", "auth_time", "amr"}.isdisjoint(claims)


async def test_an_ordinary_issue_writes_nothing(site: SimpleNamespace) -> None:
    before = await site.events()
    number = (await site.store.revocations.head()).number
    tokens = {(await grant(site)).access_token for _ in range(5)}
    assert len(tokens) == 5
    assert await site.events() == before
    assert (await site.store.revocations.head()).number == number
    assert await site.store.sessions.list_live(sub="robot", now=site.now, limit=10) == ()


@pytest.mark.parametrize("change", [{"scopes": {"orders:write": ""}}, None])
async def test_what_the_api_no_longer_has_is_not_given(site: SimpleNamespace, change: dict[str, object] | None) -> None:
    orders = await site.store.apis.find("orders")
    if change is None:
        await site.store.apis.delete("orders", events=[])
    else:
        await site.store.apis.replace(msgspec.structs.replace(orders, **change), read=orders, events=[])
    refused = await grant(site)
    assert isinstance(refused, OAuthError)
    assert refused.error == "invalid_scope"


async def test_the_apis_lifetime_and_algorithm_hold(site: SimpleNamespace) -> None:
    orders = await site.store.apis.find("orders")
    changed = msgspec.structs.replace(orders, access_token_lifetime=60)
    await site.store.apis.replace(changed, read=orders, events=[])
    response = await grant(site)
    claims = claims_of(response.access_token)
    assert response.expires_in == claims["exp"] - claims["iat"] == 60
