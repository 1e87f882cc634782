import asyncio
import json
from collections.abc import Mapping
from hashlib import sha256

import msgspec
import pytest

from sealring.ports import OutgoingAnswer, OutgoingFailed
from sealring.protocol.client import AssertionTerms, Client
from sealring.protocol.client_assertion import parse_client_assertion
from sealring.protocol.errors import OAuthError
from sealring.services.client_authentication import authenticate_client
from sealring.services.client_keys import ClientKeys
from sealring.services.desk import Desk
from sealring_verify.jose.jwk import PrivateKey, generate_private_key
from sealring_verify.jose.jws import encode_header, sign_compact

KEY = generate_private_key("ES256", kid="first")
NEXT = generate_private_key("ES256", kid="next")
SAME_NAME = generate_private_key("ES256", kid="first")
URI = "https://shop.example/keys"


def key_set(*keys: PrivateKey) -> bytes:
    return msgspec.json.encode({"keys": [key.public_jwk() for key in keys]})


class Publisher:
    """The client's server, which says `answer`."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.asked = 0
        self.seconds = 0.0
        self.keys = ClientKeys(self, monotonic=lambda: self.seconds)

    async def fetch(self, url: str) -> OutgoingAnswer | OutgoingFailed:
        assert url == URI
        self.asked += 1
        return OutgoingFailed() if self.answer is None else OutgoingAnswer(status=200, body=self.answer)

    async def post_form(self, url: str, form: Mapping[str, str]) -> OutgoingFailed:
        raise AssertionError(url, form)

    async def post_json(self, url: str, body: bytes) -> OutgoingFailed:
        raise AssertionError(url, body)


async def register(desk: Desk, client_id: str = "shop", **members: object) -> None:
    shop = Client(
        client_id=client_id,
        name="Shop",
        type="confidential",
        assertion=AssertionTerms(),
        jwks_uri=URI,
        allowed={},
        epoch=1,
        created_at=1,
    )
    assert await desk.store.clients.add(msgspec.structs.replace(shop, **members), events=[])


def sign(desk: Desk, *, key: PrivateKey = KEY, **claims: object) -> str:
    seconds = desk.clock() // 1000
    good = {"iss": "shop", "sub": "shop", "aud": desk.issuer, "exp": seconds + 60, "jti": "one"}
    return sign_compact(
        json.dumps(good | claims).encode(), key=key, header=encode_header(typ="JWT", alg=key.alg, kid=key.kid)
    )


async def prove(desk: Desk, publisher: Publisher, text: str) -> str:
    """Name the client that an assertion proves, or the code for which it is refused."""
    assertion = parse_client_assertion(text)
    assert assertion is not None
    outcome = await authenticate_client(
        assertion, store=desk.store, keys=publisher.keys, issuer=desk.issuer, now=desk.clock()
    )
    if isinstance(outcome, OAuthError):
        assert (outcome.error, outcome.status) == ("invalid_client", 401)
        return outcome.code
    return outcome.client_id


async def test_an_assertion_proves_its_client_once(desk: Desk) -> None:
    await register(desk)
    publisher, text = Publisher(key_set(KEY)), sign(desk)
    assert await prove(desk, publisher, text) == "shop"
    assert await prove(desk, publisher, text) == "client_assertion_replayed"
    assert await prove(desk, publisher, sign(desk, exp=desk.clock() // 1000 + 90)) == "client_assertion_replayed"
    assert await prove(desk, publisher, sign(desk, jti="two")) == "shop"


async def test_of_the_same_assertion_many_times_at_once_one_proves(desk: Desk) -> None:
    await register(desk)
    publisher, text = Publisher(key_set(KEY)), sign(desk)
    outcomes = await asyncio.gather(*(prove(desk, publisher, text) for _ in range(10)))
    assert sorted(outcomes) == ["client_assertion_replayed"] * 9 + ["shop"]
    assert publisher.asked == 1


async def test_what_is_refused_is_not_spent(desk: Desk) -> None:
    await register(desk)
    publisher = Publisher(key_set(KEY))
    assert await prove(desk, publisher, sign(desk, aud="https://other.example")) == "client_assertion_refused"
    assert await prove(desk, publisher, sign(desk, key=SAME_NAME)) == "client_authentication_failed"
    assert await prove(desk, publisher, sign(desk)) == "shop"


async def test_registered_keys_need_no_server(desk: Desk) -> None:
    await register(desk, jwks=key_set(KEY).decode(), jwks_uri=None)
    publisher = Publisher(None)
    assert await prove(desk, publisher, sign(desk)) == "shop"
    assert await prove(desk, publisher, sign(desk, key=NEXT)) == "client_authentication_failed"
    assert publisher.asked == 0


@pytest.mark.parametrize("successor", [NEXT, SAME_NAME])
async def test_a_turned_key_is_fetched_when_its_first_assertion_comes(desk: Desk, successor: PrivateKey) -> None:
    await register(desk)
    publisher = Publisher(key_set(KEY))
    assert await prove(desk, publisher, sign(desk)) == "shop"
    publisher.answer = key_set(successor)
    publisher.seconds += 11
    assert await prove(desk, publisher, sign(desk, key=successor, jti="two")) == "shop"
    assert publisher.asked == 2


async def test_garbage_makes_one_fetch_in_ten_seconds(desk: Desk) -> None:
    await register(desk)
    publisher = Publisher(key_set(KEY))
    for number in range(5):
        assert await prove(desk, publisher, sign(desk, key=NEXT, jti=f"{number}")) == "client_authentication_failed"
    assert publisher.asked == 1


@pytest.mark.parametrize("answer", [None, b"<html>", b"{}", b'{"keys":[' + b",".join([b"{}"] * 33) + b"]}"])
async def test_keys_that_cannot_be_had_are_a_refusal_with_a_code_of_its_own(desk: Desk, answer: bytes | None) -> None:
    await register(desk)
    assert await prove(desk, Publisher(answer), sign(desk)) == "client_keys_unavailable"


async def test_a_client_of_another_method_proves_nothing_by_an_assertion(desk: Desk) -> None:
    secret = (sha256(b"slc_1").digest(),)
    await register(desk, assertion=None, secret_digests=secret)
    await register(desk, "page", assertion=None, type="public")
    publisher = Publisher(key_set(KEY))
    assert await prove(desk, publisher, sign(desk)) == "client_authentication_failed"
    assert await prove(desk, publisher, sign(desk, iss="page", sub="page")) == "client_authentication_failed"
    assert publisher.asked == 0


async def test_an_unknown_or_disabled_client_is_nobody_and_nothing_is_fetched(desk: Desk) -> None:
    publisher = Publisher(key_set(KEY))
    assert await prove(desk, publisher, sign(desk)) == "client_authentication_failed"
    await register(desk)
    await desk.store.clients.set_disabled("shop", disabled=True, now=desk.clock(), events=[])
    assert await prove(desk, publisher, sign(desk)) == "client_authentication_failed"
    assert publisher.asked == 0


async def test_another_clients_key_proves_nobody_else(desk: Desk) -> None:
    await register(desk, jwks=key_set(KEY).decode())
    await register(desk, "other", jwks=key_set(NEXT).decode())
    publisher = Publisher(None)
    forged = sign(desk, key=NEXT)
    assert await prove(desk, publisher, forged) == "client_authentication_failed"
    mixed = sign(desk, key=NEXT, iss="shop", sub="other")
    assert await prove(desk, publisher, mixed) == "client_assertion_refused"


async def test_the_same_id_of_two_clients_is_two_uses(desk: Desk) -> None:
    await register(desk, jwks=key_set(KEY).decode())
    await register(desk, "other", jwks=key_set(KEY).decode())
    publisher = Publisher(None)
    assert await prove(desk, publisher, sign(desk)) == "shop"
    assert await prove(desk, publisher, sign(desk, iss="other", sub="other")) == "other"
