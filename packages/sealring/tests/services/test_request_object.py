from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode

import msgspec
import pytest

from sealring.ports import OutgoingAnswer, OutgoingFailed
from sealring.services.authorization import Returned, Shown
from sealring.services.client_keys import ClientKeys
from sealring.services.request_object import resolve_request_uri
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.jose.jws import encode_header, sign_compact

KEY = generate_private_key("RS256", kid="k")
NEXT = generate_private_key("RS256", kid="n")
URI = "https://app.example/request.jwt"
KEYS = "https://app.example/keys"
CALLBACK = "https://app.example/callback"
ASKED = {"response_type": "code", "redirect_uri": CALLBACK, "scope": "openid", "state": "signed"}


class Server:
    """The client's server; `documents`: by address."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.seconds = 0.0
        self.keys = ClientKeys(self, monotonic=lambda: self.seconds)  # type: ignore[arg-type] # it only fetches

    async def fetch(self, url: str) -> OutgoingAnswer | OutgoingFailed:
        self.asked.append(url)
        body = self.documents.get(url)
        return OutgoingFailed() if body is None else OutgoingAnswer(status=200, body=body)

    def sign(self, key: Any = KEY, **claims: object) -> None:  # noqa: ANN401 -- a private key
        header = encode_header(typ="oauth-authz-req+jwt", alg="RS256", kid=key.kid)
        payload = msgspec.json.encode({**ASKED, **claims})
        self.documents[URI] = sign_compact(payload, key=key, header=header).encode()

    def publish(self, *keys: Any) -> None:  # noqa: ANN401 -- private keys
        self.documents[KEYS] = msgspec.json.encode({"keys": [key.public_jwk() for key in keys]})


@pytest.fixture
def server() -> Server:
    server = Server()
    server.publish(KEY)
    server.sign()
    return server


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    client = await site.store.clients.find("app")
    flow = msgspec.structs.replace(client.code_flow, redirect_uris=(CALLBACK,), request_uris=(URI + "#aGFzaA",))
    await change(site, code_flow=flow, jwks_uri=KEYS)
    return site


async def change(site: SimpleNamespace, **members: object) -> None:
    client = await site.store.clients.find("app")
    changed = msgspec.structs.replace(client, **members)
    assert await site.store.clients.replace(changed, read=client, events=[])


async def resolve(app: SimpleNamespace, server: Server, **parameters: str) -> Any:  # noqa: ANN401 -- the outcomes
    sent = {"client_id": "app", "request_uri": URI, **parameters}
    house = app.opened.house
    encoded = urlencode({name: value for name, value in sent.items() if value}).encode()
    return await resolve_request_uri(
        encoded,
        store=app.store,
        outgoing=server,  # type: ignore[arg-type] # it only fetches
        keys=server.keys,
        issuer=house.issuer,
        now=app.now,
    )


async def test_what_lies_at_the_address_is_the_whole_request(app: SimpleNamespace, server: Server) -> None:
    for fragment in ("", "#another"):
        found = await resolve(app, server, request_uri=URI + fragment, state="of somebody else", scope="openid admin")
        assert {name: value for name, (value,) in parse_qs(found.decode()).items()} == {"client_id": "app", **ASKED}
    assert server.asked.count(URI) == 2
    assert server.asked.count(KEYS) == 1


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/other.jwt",
        "https://app.example/request.jwt?x",
        "http://app.example/request.jwt",
        "HTTPS://app.example/request.jwt",
        "https://app.example:443/request.jwt",
        "https://evil.example/request.jwt",
        "urn:x",
    ],
)
async def test_nothing_is_fetched_from_where_the_client_did_not_say(
    app: SimpleNamespace, server: Server, uri: str
) -> None:
    outcome = await resolve(app, server, request_uri=uri)
    assert isinstance(outcome, Shown)
    assert outcome.refusal.code == "invalid_request_uri"
    assert server.asked == []


async def test_a_refusal_goes_where_the_request_says_if_that_is_the_clients(
    app: SimpleNamespace, server: Server
) -> None:
    server.documents[URI] = b"x"
    told = await resolve(app, server, redirect_uri=CALLBACK, state="s")
    assert isinstance(told, Returned)
    assert (told.parameters["error"], told.parameters["state"]) == ("invalid_request_object", "s")
    assert isinstance(await resolve(app, server, redirect_uri="https://evil.example/"), Shown)
    await change(app, self_registered=True)
    assert isinstance(await resolve(app, server, redirect_uri=CALLBACK), Shown)


async def test_what_cannot_be_had_is_told_alike(app: SimpleNamespace, server: Server) -> None:
    for body in (None, "é".encode()):
        server.documents.pop(URI)
        if body is not None:
            server.documents[URI] = body
        outcome = await resolve(app, server)
        assert isinstance(outcome, Shown)
        assert outcome.refusal.code == "invalid_request_uri"
        server.sign()


async def test_an_unsigned_object_is_not_supported(app: SimpleNamespace, server: Server) -> None:
    parts = (b'{"alg":"none"}', msgspec.json.encode(ASKED))
    server.documents[URI] = b".".join([*map(base64url.encode, parts), b""])
    outcome = await resolve(app, server)
    assert outcome.refusal.code == "request_uri_not_supported"


async def test_a_key_that_turned_is_fetched_anew(app: SimpleNamespace, server: Server) -> None:
    assert isinstance(await resolve(app, server), bytes)
    server.publish(NEXT)
    server.sign(NEXT)
    assert (await resolve(app, server)).refusal.code == "invalid_request_object"
    server.seconds = 2
    assert isinstance(await resolve(app, server), bytes)


async def test_requests_without_an_address_and_of_clients_without_any_come_back_as_they_were(
    app: SimpleNamespace, server: Server
) -> None:
    assert await resolve(app, server, request_uri="", scope="x") == b"client_id=app&scope=x"
    for client_id in ("nobody", "shop"):
        assert isinstance(await resolve(app, server, client_id=client_id), bytes)
    await app.store.clients.set_disabled("app", disabled=True, now=app.now, events=[])
    assert isinstance(await resolve(app, server), bytes)
    assert server.asked == []


async def test_a_request_and_its_address_do_not_come_together(app: SimpleNamespace, server: Server) -> None:
    assert (await resolve(app, server, request="x")).refusal.code == "invalid_request_uri"
