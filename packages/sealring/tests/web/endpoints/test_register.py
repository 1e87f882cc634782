from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from os import urandom
from typing import Any

import httpx
import msgspec
import pytest

from sealring.protocol.initial_access_token import MakeInitialAccessToken
from sealring.services.initial_access_token import make_initial_access_token

Site = Any  # the fixtures of conftest.py
URI = "https://shop.example/callback"


@pytest.fixture
async def site(open_site: Callable[..., AbstractAsyncContextManager[Site]]) -> AsyncIterator[Site]:
    async with open_site(registration={"mode": "open", "per_network": 500}) as opened:
        yield opened


async def register(site: Site, **members: object) -> httpx.Response:
    async with site.client() as http:
        return await http.post("/register", json={"redirect_uris": [URI], **members})  # type: ignore[no-any-return] # untyped site


async def manage(site: Site, method: str, made: dict[str, Any], **more: Any) -> httpx.Response:  # noqa: ANN401 -- JSON
    token = more.pop("token", made.get("registration_access_token"))
    async with site.client() as http:
        return await http.request(  # type: ignore[no-any-return] # untyped site
            method,
            f"/register/{made['client_id']}",
            headers={} if token is None else {"authorization": f"Bearer {token}"},
            **more,
        )


async def test_a_client_registers_itself_and_is_told_all_that_was_registered(site: Site) -> None:
    answer = await register(site, client_name="Shop", grant_types=["authorization_code", "refresh_token"])
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    client_id, token = told["client_id"], told["registration_access_token"]
    assert told["registration_client_uri"] == f"{site.opened.house.issuer}/register/{client_id}"
    assert told["client_secret_expires_at"] == 0
    assert (told["client_name"], told["redirect_uris"], told["subject_type"]) == ("Shop", [URI], "public")
    assert (told["grant_types"], told["response_types"]) == (["authorization_code", "refresh_token"], ["code"])
    client = await site.store.clients.find(client_id)
    assert client.self_registered
    assert client.code_flow.require_pkce
    assert (client.allowed, client.first_party, client.permissions) == ({}, False, frozenset())
    kept = msgspec.json.encode(client).decode()
    assert told["client_secret"] not in kept
    assert token not in kept
    assert (await site.events())[-1].event == "client_registered"


async def test_its_secret_opens_the_token_endpoint(site: Site) -> None:
    told = (await register(site)).json()
    good, bad = (told["client_id"], told["client_secret"]), (told["client_id"], "slc_wrong")
    assert (await site.redeem_code(auth=good)).json()["code"] == "code_refused"
    assert (await site.redeem_code(auth=bad)).json()["code"] == "client_authentication_failed"


async def test_nobody_registers_where_it_is_off(open_site: Callable[..., AbstractAsyncContextManager[Site]]) -> None:
    async with open_site() as off:
        assert (await register(off)).status_code == 404
        assert (await off.http.get("/register/shop")).status_code == 404
        document = (await off.http.get("/.well-known/openid-configuration")).json()
        assert "registration_endpoint" not in document


async def test_the_metadata_names_it_where_it_is_on(site: Site) -> None:
    document = (await site.http.get("/.well-known/openid-configuration")).json()
    assert document["registration_endpoint"] == f"{site.opened.house.issuer}/register"


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"redirect_uris": ["https://shop.example/#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"logo_uri": "data:image/svg+xml,x"}, "invalid_client_metadata"),
        ({"redirect_uris": "https://shop.example/"}, "invalid_client_metadata"),
        ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata"),
        ({"jwks_uri": "https://127.0.0.1:1\\@evil/"}, "invalid_client_metadata"),
    ],
)
async def test_what_cannot_be_registered_is_refused(site: Site, members: dict[str, object], error: str) -> None:
    answer = await register(site, **members)
    assert (answer.status_code, answer.json()["error"], answer.json()["code"]) == (400, error, error)
    assert answer.json()["error_description"].isascii()


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"redirect_uris":[],"redirect_uris":[]}', b'{"a":"\\u0000"}'])
async def test_what_is_no_plain_object_is_refused(site: Site, body: bytes) -> None:
    async with site.client() as http:
        answer = await http.post("/register", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")
        form = await http.post("/register", content=body)
        assert form.status_code == 415


async def test_a_body_of_a_megabyte_is_not_read(site: Site) -> None:
    assert (await register(site, client_name="x" * 1_000_000)).status_code == 413


async def test_nothing_is_given_that_only_the_operator_gives(site: Site) -> None:
    wished = {"first_party": True, "consent": "skip", "permissions": ["sessions:create"], "require_pkce": False}
    told = (await register(site, **wished, allowed={"orders": ["orders:read"]}, scope="openid orders:read")).json()
    client = await site.store.clients.find(told["client_id"])
    assert (client.first_party, client.permissions, client.allowed) == (False, frozenset(), {})
    assert (client.code_flow.consent, client.code_flow.require_pkce) == ("ask", True)
    assert "orders:read" not in told["scope"]


async def test_pkce_is_waived_for_confidential_clients_where_the_house_says_so(
    open_site: Callable[..., AbstractAsyncContextManager[Site]],
) -> None:
    async with open_site(registration={"mode": "open", "require_pkce": False}) as site:
        for method, required in (("client_secret_basic", False), ("none", True)):
            told = (await register(site, token_endpoint_auth_method=method)).json()
            client = await site.store.clients.find(told["client_id"])
            assert client.code_flow.require_pkce is required
        assert "client_secret" not in told


async def test_a_client_reads_replaces_and_deletes_its_registration(site: Site) -> None:
    made = (await register(site, client_name="Shop", tos_uri="https://shop.example/tos")).json()
    read = await manage(site, "GET", made)
    assert read.status_code == 200
    secrets = {"client_secret", "client_secret_expires_at"}
    assert read.json() == {name: value for name, value in made.items() if name not in secrets}
    put = await manage(site, "PUT", made, json={"redirect_uris": [URI + "2"], "client_name": "New"})
    assert put.status_code == 200
    changed = put.json()
    assert (changed["client_name"], changed["redirect_uris"]) == ("New", [URI + "2"])
    assert "tos_uri" not in changed
    assert "client_secret" not in changed
    assert changed["registration_access_token"] != made["registration_access_token"]
    assert (await manage(site, "GET", made)).status_code == 401
    good = (made["client_id"], made["client_secret"])
    assert (await site.redeem_code(auth=good)).json()["code"] == "code_refused"
    assert (await manage(site, "DELETE", changed)).status_code == 204
    assert await site.store.clients.find(made["client_id"]) is None
    for method in ("GET", "DELETE"):
        assert (await manage(site, method, changed)).json()["code"] == "token_refused"
    assert [event.event for event in (await site.events())[-2:]] == ["client_changed", "client_deleted"]


async def test_no_token_but_its_own_manages_a_client(site: Site) -> None:
    made, other = (await register(site)).json(), (await register(site)).json()
    body = {"json": {"redirect_uris": ["https://evil.example/"]}}
    for token in (other["registration_access_token"], made["client_secret"], "", "x", None):
        for method in ("GET", "PUT", "DELETE"):
            refused = await manage(site, method, made, token=token, **(body if method == "PUT" else {}))
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Bearer")
    # `shop` is the operator's: it has no such token, and no text is one.
    for token in ("", "slc_shop", made["registration_access_token"]):
        assert (await manage(site, "DELETE", {"client_id": "shop"}, token=token)).status_code == 401
    assert (await manage(site, "GET", made)).status_code == 200


async def test_a_disabled_client_manages_nothing(site: Site) -> None:
    made = (await register(site)).json()
    await site.store.clients.set_disabled(made["client_id"], disabled=True, now=site.now, events=[])
    assert (await manage(site, "GET", made)).status_code == 401


async def test_what_the_operator_gave_stays_and_people_are_asked_again(site: Site) -> None:
    made = (await register(site)).json()
    before = await site.store.clients.find(made["client_id"])
    flow = msgspec.structs.replace(before.code_flow, consent="skip")
    given = msgspec.structs.replace(before, allowed={"orders": frozenset({"orders:read"})}, code_flow=flow)
    assert await site.store.clients.replace(given, read=before, events=[])
    put = await manage(site, "PUT", made, json={"redirect_uris": ["https://other.example/"]})
    after = await site.store.clients.find(made["client_id"])
    assert (after.allowed, after.code_flow.consent) == ({"orders": frozenset({"orders:read"})}, "ask")
    trusted = msgspec.structs.replace(after, first_party=True)
    assert await site.store.clients.replace(trusted, read=after, events=[])
    refused = await manage(site, "PUT", put.json(), json={"redirect_uris": ["https://evil.example/"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "registration_managed_by_operator")


async def test_a_client_never_turns_from_confidential_to_public(site: Site) -> None:
    made = (await register(site)).json()
    put = await manage(site, "PUT", made, json={"redirect_uris": [URI], "token_endpoint_auth_method": "none"})
    assert put.json()["error"] == "invalid_client_metadata"


async def test_no_sector_is_fetched_from_this_machine(site: Site) -> None:
    for host in ("127.0.0.1", "[::1]", "169.254.169.254", "localhost"):
        refused = await register(site, sector_identifier_uri=f"https://{host}/uris")
        assert refused.json()["error"] == "invalid_client_metadata"


async def test_a_network_registers_so_many_in_an_hour_and_all_together_so_many(
    open_site: Callable[..., AbstractAsyncContextManager[Site]],
) -> None:
    async with open_site(registration={"mode": "open", "per_network": 2}) as site:
        assert [(await register(site)).status_code for _ in range(3)] == [201, 201, 429]
        async with site.client("192.0.2.1") as elsewhere:
            assert (await elsewhere.post("/register", json={"redirect_uris": [URI]})).status_code == 201
    async with open_site(registration={"mode": "open", "most_clients": 4}) as site:
        assert (await register(site)).status_code == 201
        refused = await register(site)
        assert (refused.status_code, refused.json()["code"]) == (403, "registration_full")


async def test_a_name_with_markup_is_a_text_on_the_page(site: Site) -> None:
    made = (await register(site, client_name="<script>alert(1)</script>")).json()
    async with site.client() as browser:
        waiting = await site.visit(browser, client_id=made["client_id"], redirect_uri=URI)
        page = await browser.get(waiting.headers["location"])
    assert "<script>alert" not in page.text


async def test_with_tokens_a_client_needs_one_and_stays_unverified(
    open_site: Callable[..., AbstractAsyncContextManager[Site]],
) -> None:
    async with open_site(registration={"mode": "token"}) as site:
        document = (await site.http.get("/.well-known/openid-configuration")).json()
        assert document["registration_endpoint"] == f"{site.opened.house.issuer}/register"
        made = await make_initial_access_token(
            MakeInitialAccessToken(),
            store=site.store,
            clock=site.opened.house.registration.clock,
            randomness=urandom,
            actor="cli:ada",
        )
        token = made.initial_access_token.reveal()  # type: ignore[union-attr] # no refusal
        body = {"redirect_uris": [URI]}
        async with site.client() as http:
            bare = await http.post("/register", json=body)
            assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")
            wrong = await http.post("/register", json=body, headers={"authorization": f"Bearer {token}x"})
            assert (wrong.status_code, wrong.json()["code"]) == (401, "initial_access_token_refused")
            assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
            good = {"authorization": f"Bearer {token}"}
            told = await http.post("/register", json=body, headers=good)
            assert told.status_code == 201
            again = await http.post("/register", json=body, headers=good)
            assert (again.status_code, again.json()["code"]) == (401, "initial_access_token_refused")
        client = await site.store.clients.find(told.json()["client_id"])
        assert client.self_registered
        event = (await site.events())[-1]
        assert event.details == {"initial_access_token": made.seen.id}  # type: ignore[union-attr] # no refusal
        kept = await site.store.initial_access_tokens.list_all()
        assert token not in repr(kept) + repr(made)


async def test_a_front_channel_page_is_kept_only_where_log_out_pages_load_it(
    open_site: Callable[..., AbstractAsyncContextManager[Site]],
) -> None:
    page = {"frontchannel_logout_uri": "https://shop.example/bye", "frontchannel_logout_session_required": True}
    async with open_site(registration={"mode": "open"}) as off:
        assert not page.keys() & (await register(off, **page)).json().keys()
    async with open_site(registration={"mode": "open"}, logout={"front_channel": True}) as on:
        assert page.items() <= (await register(on, **page)).json().items()
        refused = await register(on, frontchannel_logout_uri="https://evil.example/bye")
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")
