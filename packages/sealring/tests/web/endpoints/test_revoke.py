from types import SimpleNamespace

import httpx
import pytest

PAGE = "https://page.example"
SHOP = ("shop", "slc_shop")


def code_of(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["error"], answer.json()["code"]


async def test_the_answer_is_empty_and_kept_by_nobody(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["refresh_token"]
    answer = await site.revoke(token)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-length"] == "0"
    assert (await site.refresh(token)).json()["code"] == "refresh_refused"


async def test_a_client_proves_itself_as_at_the_token_endpoint(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["refresh_token"]
    form = {"token": token}
    failed = (401, "invalid_client", "client_authentication_failed")
    assert code_of(await site.http.post("/revoke", data=form, auth=("shop", "slc_wrong"))) == failed
    assert code_of(await site.http.post("/revoke", data=form, auth=None)) == failed
    assert code_of(await site.http.post("/revoke", data=form | {"client_id": "shop"}, auth=None)) == failed
    in_form = {"client_id": "shop", "client_secret": "slc_shop"}
    assert code_of(await site.http.post("/revoke", data=form | in_form, auth=None)) == failed
    both = await site.http.post("/revoke", data=form | {"client_secret": "slc_shop"}, auth=SHOP)
    assert code_of(both) == (400, "invalid_request", "several_authentication_methods")
    # An API is no client.
    assert code_of(await site.http.post("/revoke", data=form, auth=("orders", "sla_orders"))) == failed
    assert (await site.refresh(token)).status_code == 200


async def test_a_client_of_the_form_sends_its_secret_there(site: SimpleNamespace) -> None:
    form = {"client_id": "poster", "client_secret": "slc_poster"}
    own = {"grant_type": "client_credentials", "scope": "orders:read"}
    token = (await site.http.post("/token", data=own | form, auth=None)).json()["access_token"]
    assert (await site.http.post("/revoke", data={"token": token} | form, auth=None)).status_code == 200
    assert await site.inspect(token) == {"active": False}


async def test_a_page_gives_its_token_back_by_its_id_alone(site: SimpleNamespace) -> None:
    body = {"client_id": "page", "username": "ada", "password": "correct horse battery staple", "scope": "orders:read"}
    answer = (await site.http.post("/session", json=body, headers={"origin": PAGE}, auth=None)).json()
    form = {"token": answer["refresh_token"], "client_id": "page"}
    revoked = await site.http.post("/revoke", data=form, headers={"origin": PAGE}, auth=None)
    assert revoked.status_code == 200
    assert revoked.headers["access-control-allow-origin"] == PAGE
    assert await site.inspect(answer["access_token"]) == {"active": False}


async def test_a_token_in_the_address_is_refused(site: SimpleNamespace) -> None:
    answer = await site.http.post("/revoke?token=x", data={"token": "y"}, auth=SHOP)
    assert code_of(answer) == (400, "invalid_request", "parameter_in_address")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_it_is_posted_to_and_nothing_else(site: SimpleNamespace, method: str) -> None:
    answer = await site.http.request(method, "/revoke")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
