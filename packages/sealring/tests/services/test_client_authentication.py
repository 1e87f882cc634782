from collections.abc import Mapping
from hashlib import sha256

import pytest

from sealring.ports import OutgoingFailed
from sealring.protocol.api import Api
from sealring.protocol.client import Client, SecretMethod
from sealring.protocol.client_authentication import ClientCredentials, ClientSecretBasic, ClientSecretPost, NoSecret
from sealring.protocol.errors import OAuthError
from sealring.protocol.secret import Secret
from sealring.services.client_authentication import AuthenticatedApi, authenticate_api, authenticate_client
from sealring.services.client_keys import ClientKeys
from sealring.services.desk import Desk

TWO = tuple(sha256(secret).digest() for secret in (b"slc_old", b"slc_new"))


async def register(desk: Desk, *, public: bool = False, secret_method: SecretMethod = "client_secret_basic") -> None:
    client = Client(
        client_id="shop",
        name="Shop",
        type="public" if public else "confidential",
        secret_digests=() if public else TWO,
        secret_method=secret_method,
        allowed={},
        epoch=1,
        created_at=1,
    )
    await desk.store.clients.add(client, events=[])


class Nobody:
    """Servers of clients that nobody may ask here."""

    async def fetch(self, url: str) -> OutgoingFailed:
        raise AssertionError(url)

    async def post_form(self, url: str, form: Mapping[str, str]) -> OutgoingFailed:
        raise AssertionError(url, form)

    async def post_json(self, url: str, body: bytes) -> OutgoingFailed:
        raise AssertionError(url, body)


async def authenticate(desk: Desk, credentials: ClientCredentials) -> Client | OAuthError:
    keys = ClientKeys(Nobody(), monotonic=lambda: 0)
    return await authenticate_client(credentials, store=desk.store, keys=keys, issuer=desk.issuer, now=desk.clock())


def basic(secret: str, client_id: str = "shop") -> ClientSecretBasic:
    return ClientSecretBasic(client_id=client_id, client_secret=Secret(secret))


@pytest.mark.parametrize("secret", ["slc_old", "slc_new"])
async def test_each_of_two_secrets_proves_the_client(desk: Desk, secret: str) -> None:
    await register(desk)
    client = await authenticate(desk, basic(secret))
    assert isinstance(client, Client)
    assert client.client_id == "shop"


async def test_all_that_can_be_wrong_is_one_refusal(desk: Desk) -> None:
    await register(desk)
    wrong = [basic("slc_wrong"), basic(""), basic("slc_old", "nobody"), NoSecret(client_id="shop")]
    refusals = {repr(await authenticate(desk, credentials)) for credentials in wrong}
    assert len(refusals) == 1
    assert "client_authentication_failed" in refusals.pop()


async def test_a_public_client_brings_no_secret(desk: Desk) -> None:
    await register(desk, public=True)
    assert isinstance(await authenticate(desk, NoSecret(client_id="shop")), Client)
    assert isinstance(await authenticate(desk, basic("slc_old")), OAuthError)


async def test_a_disabled_client_is_refused(desk: Desk) -> None:
    await register(desk)
    await desk.store.clients.set_disabled("shop", disabled=True, now=desk.clock(), events=[])
    assert isinstance(await authenticate(desk, basic("slc_old")), OAuthError)


async def test_an_api_is_known_by_its_secret_in_http_basic(desk: Desk) -> None:
    api = Api(identifier="orders", scopes={}, secret_digests=(sha256(b"sla_1").digest(),), created_at=1)
    await desk.store.apis.add(api, events=[])
    known = await authenticate_api("Basic b3JkZXJzOnNsYV8x", store=desk.store)  # orders:sla_1
    assert known == AuthenticatedApi(api=api, secret_digest=api.secret_digests[0])
    for wrong in (None, "", "Basic b3JkZXJzOnNsYV8y", "Bearer x", "Basic bm9ib2R5OnNsYV8x"):
        assert isinstance(await authenticate_api(wrong, store=desk.store), OAuthError)


async def test_another_method_than_the_registered_one_is_refused_whatever_the_secret(desk: Desk) -> None:
    await register(desk, secret_method="client_secret_post")
    posted = ClientSecretPost(client_id="shop", client_secret=Secret("slc_new"))
    assert isinstance(await authenticate(desk, posted), Client)
    refused = await authenticate(desk, basic("slc_new"))
    assert isinstance(refused, OAuthError)
    assert (refused.error, refused.status) == ("invalid_client", 401)
    # Whoever holds the secret learns why; whoever guesses does not.
    assert "client_secret_post" in refused.description
    guessed = await authenticate(desk, basic("slc_wrong"))
    assert isinstance(guessed, OAuthError)
    assert guessed == await authenticate(desk, basic("slc_wrong", "nobody"))


async def test_a_secret_in_the_form_is_nothing_to_a_client_of_http_basic(desk: Desk) -> None:
    await register(desk)
    posted = ClientSecretPost(client_id="shop", client_secret=Secret("slc_new"))
    assert isinstance(await authenticate(desk, posted), OAuthError)
