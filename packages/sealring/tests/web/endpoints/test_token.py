import asyncio
import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import httpx
import msgspec
import pytest

from sealring.protocol.access_token import client_token_payload
from sealring.protocol.api import Api
from sealring_verify.jose.base64url import decode

PAGE = "https://page.example"
ROBOT = ("robot", "slc_robot")
POSTED = {"client_id": "poster", "client_secret": "slc_poster"}
OWN = {"grant_type": "client_credentials", "scope": "orders:read"}


def code_of(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["error"], answer.json()["code"]


def claims_of(access_token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(decode(access_token.split(".")[1].encode()))
    return claims


async def refresh(site: SimpleNamespace, token: str, **form: str) -> httpx.Response:
    answer = await site.token("refresh_token", auth=("shop", "slc_shop"), refresh_token=token, **form)
    assert isinstance(answer, httpx.Response)
    return answer


async def test_a_client_gets_a_token_in_its_own_name(site: SimpleNamespace) -> None:
    answer = await site.token(scope="orders:read")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 600, "orders:read")


async def test_resource_names_the_api_where_the_scopes_do_not(site: SimpleNamespace) -> None:
    both = await site.token(scope="orders:read bills:read")
    assert code_of(both) == (400, "invalid_target", "invalid_target")
    narrowed = (await site.token(scope="orders:read bills:read", resource="bills")).json()
    assert (narrowed["scope"], claims_of(narrowed["access_token"])["aud"]) == ("bills:read", "bills")
    for resource in ("parcels", "http://localhost:8799", "orders#x"):
        refused = await site.token(scope="orders:read", resource=resource)
        assert code_of(refused) == (400, "invalid_target", "invalid_target")


async def test_a_refresh_token_is_redeemed_as_at_session_refresh(site: SimpleNamespace) -> None:
    first = (await site.sign_in()).json()
    answer = await refresh(site, first["refresh_token"])
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "sid"}
    assert body["sid"] == first["sid"]
    # A repeat gets the same successor, at either address.
    assert (await refresh(site, first["refresh_token"])).json()["refresh_token"] == body["refresh_token"]
    assert (await site.refresh(first["refresh_token"])).json()["refresh_token"] == body["refresh_token"]
    site.pass_time(60)
    await refresh(site, body["refresh_token"])
    reused = await refresh(site, first["refresh_token"])
    assert code_of(reused) == (400, "invalid_grant", "refresh_refused")
    assert reused.json()["error_id"]
    assert "session_reuse_detected" in [event.event for event in await site.events()]


async def test_a_refresh_may_ask_for_less_and_for_another_api_of_the_session(site: SimpleNamespace) -> None:
    token = (await site.sign_in(scope="orders:read orders:write bills:read", resource="orders")).json()["refresh_token"]
    less = (await refresh(site, token, scope="orders:read")).json()
    assert less["scope"] == "orders:read"
    # RFC 6749 §6: the new refresh token has the scope of the old one.
    bills = (await refresh(site, less["refresh_token"], resource="bills")).json()
    assert (bills["scope"], claims_of(bills["access_token"])["aud"]) == ("bills:read", "bills")
    whole = (await refresh(site, bills["refresh_token"])).json()
    assert whole["scope"] == "orders:read orders:write"


async def test_a_refresh_never_asks_for_more_and_costs_nothing_when_it_does(site: SimpleNamespace) -> None:
    token = (await site.sign_in(scope="orders:read")).json()["refresh_token"]
    more = await refresh(site, token, scope="orders:read orders:write")
    assert code_of(more) == (400, "invalid_scope", "scope_exceeds_grant")
    unknown = await refresh(site, token, scope="parcels:read")
    assert code_of(unknown)[1] == "invalid_scope"
    assert code_of(await refresh(site, token, resource="parcels"))[1] == "invalid_target"
    assert code_of(await refresh(site, token, resource="bills"))[1] in {"invalid_scope", "invalid_target"}
    assert (await refresh(site, token)).status_code == 200


async def test_a_client_that_signs_nobody_in_refreshes_too(site: SimpleNamespace) -> None:
    # Its session began by another way; here it lost the right to /session afterwards.
    token = (await site.sign_in()).json()["refresh_token"]
    shop = await site.store.clients.find("shop")
    changed = msgspec.structs.replace(shop, first_party=False)
    await site.store.clients.replace(changed, read=shop, events=[])
    assert (await site.refresh(token)).json()["code"] == "client_not_first_party"
    assert (await refresh(site, token)).status_code == 200


async def test_a_public_client_refreshes_by_its_id_alone(site: SimpleNamespace) -> None:
    body = {"client_id": "page", "username": "ada", "password": "correct horse battery staple", "scope": "orders:read"}
    signed_in = await site.http.post("/session", json=body, headers={"origin": PAGE}, auth=None)
    token = signed_in.json()["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "page"}
    answer = await site.http.post("/token", data=form, headers={"origin": PAGE}, auth=None)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    with_secret = await site.http.post("/token", data=form | {"client_secret": "x"}, auth=None)
    assert code_of(with_secret) == (401, "invalid_client", "client_authentication_failed")
    foreign = await site.http.post("/token", data=form | {"client_id": "shop"}, auth=None)
    assert code_of(foreign)[0] == 401


@pytest.mark.parametrize(
    ("auth", "form"),
    [
        (("shop", "slc_shop"), OWN),
        (("backend", "slc_backend"), OWN),
        (None, OWN | {"client_id": "page"}),
        (None, {"grant_type": "refresh_token", "refresh_token": "slr_x", "client_id": "jar"}),
    ],
)
async def test_a_grant_that_the_client_is_not_registered_for_is_refused(
    site: SimpleNamespace, auth: tuple[str, str] | None, form: dict[str, str]
) -> None:
    answer = await site.http.post("/token", data=form, auth=auth)
    assert code_of(answer) == (400, "unauthorized_client", "grant_not_registered")


async def test_a_client_without_refresh_tokens_is_told_so(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["refresh_token"]
    shop = await site.store.clients.find("shop")
    await site.store.clients.replace(msgspec.structs.replace(shop, refresh=False), read=shop, events=[])
    assert code_of(await refresh(site, token)) == (400, "unauthorized_client", "grant_not_registered")


@pytest.mark.parametrize("grant_type", ["password", "implicit", "Client_Credentials", "x" * 999])
async def test_an_unknown_grant_has_its_own_error(site: SimpleNamespace, grant_type: str) -> None:
    answer = await site.token(grant_type, username="ada", password="x")
    assert code_of(answer) == (400, "unsupported_grant_type", "unsupported_grant_type")
    assert grant_type not in answer.json()["error_description"]


async def test_id_and_secret_are_form_encoded_in_http_basic(site: SimpleNamespace) -> None:
    read = await site.store.clients.find("robot")
    odd = msgspec.structs.replace(read, client_id="r~b.t")
    await site.store.clients.add(odd, events=[])
    encoded = (quote_plus("r~b.t", safe=""), quote_plus("slc_robot"))
    assert (await site.token(auth=("r%7Eb%2Et", "slc%5Frobot"), scope="orders:read")).status_code == 200
    assert (await site.token(auth=encoded, scope="orders:read")).status_code == 200


async def test_a_client_authenticates_by_the_registered_method_and_no_other(site: SimpleNamespace) -> None:
    posted = await site.http.post("/token", data=OWN | POSTED, auth=None)
    assert posted.status_code == 200
    by_basic = await site.token(auth=("poster", "slc_poster"), scope="orders:read")
    assert code_of(by_basic) == (401, "invalid_client", "client_authentication_failed")
    assert by_basic.headers["www-authenticate"] == 'Basic realm="sealring"'
    in_form = {"client_id": "robot", "client_secret": "slc_robot"}
    by_post = await site.http.post("/token", data=OWN | in_form, auth=None)
    assert code_of(by_post) == (401, "invalid_client", "client_authentication_failed")
    unproven = await site.http.post("/token", data=OWN | {"client_id": "robot"}, auth=None)
    assert code_of(unproven) == (401, "invalid_client", "client_authentication_failed")


async def test_two_methods_at_once_are_an_invalid_request(site: SimpleNamespace) -> None:
    for extra in ({"client_secret": "slc_robot"}, {"client_id": "poster"}, POSTED, {"client_assertion": "eyJ"}):
        answer = await site.http.post("/token", data=OWN | extra, auth=ROBOT)
        assert code_of(answer) == (400, "invalid_request", "several_authentication_methods")
    assert (await site.http.post("/token", data=OWN | {"client_id": "robot"}, auth=ROBOT)).status_code == 200


@pytest.mark.parametrize("query", ["client_secret=slc_robot", "client_id=robot", "refresh_token=x", "grant_type=x"])
async def test_nothing_of_it_may_stand_in_the_address(site: SimpleNamespace, query: str) -> None:
    answer = await site.http.post(f"/token?{query}", data=OWN, auth=ROBOT)
    assert code_of(answer) == (400, "invalid_request", "parameter_in_address")
    assert (await site.http.post("/token?tenant=1", data=OWN, auth=ROBOT)).status_code == 200


async def test_it_is_posted_to_and_nothing_else(site: SimpleNamespace) -> None:
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        answer = await site.http.request(method, "/token", auth=ROBOT)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_no_door_of_our_own_takes_a_clients_token(site: SimpleNamespace) -> None:
    # Not even one that was allowed the issuer's own API, which is not given to begin with.
    assert code_of(await site.token(scope="sessions"))[1] == "invalid_scope"
    tokens = [(await site.token(scope="orders:read")).json()["access_token"], await forged_for_ourselves(site)]
    change = {"current_password": "correct horse battery staple", "new_password": "lamp-orbit-cedar-violin"}
    for token in tokens:
        headers = {"authorization": f"Bearer {token}"}
        for answer in (
            await site.http.get("/sessions", headers=headers, auth=None),
            await site.http.delete("/sessions", headers=headers, auth=None),
            await site.http.delete("/sessions/x", headers=headers, auth=None),
            await site.http.put("/password", headers=headers, auth=None, json=change),
        ):
            assert code_of(answer) == (401, "invalid_token", "token_refused")
        for path in ("/token", "/revoke", "/introspect"):
            form = OWN | {"token": token}
            answer = await site.http.post(path, data=form, headers=headers, auth=None)
            assert code_of(answer) == (401, "invalid_client", "client_authentication_failed")


async def forged_for_ourselves(site: SimpleNamespace) -> str:
    """Sign what `/token` never gives: a client's own token for the issuer's own API, with its scope."""
    signer = site.opened.house.signer
    payload = client_token_payload(
        issuer=signer.realm.issuer,
        api=Api(identifier=signer.realm.issuer, scopes={"sessions": ""}, created_at=1),
        client_id="robot",
        client_epoch=1,
        scope=frozenset({"sessions"}),
        jti="j",
        now=site.now,
    )
    return str(signer.sign_access_token(payload))


async def test_a_hundred_at_once_are_all_answered(site: SimpleNamespace) -> None:
    answers = await asyncio.gather(*(site.token(scope="orders:read") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["access_token"] for answer in answers}) == 100
