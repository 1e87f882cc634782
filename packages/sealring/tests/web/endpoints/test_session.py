from types import SimpleNamespace

import httpx
import pytest

PAGE = "https://page.example"
SIGN_IN = {"username": "ada", "password": "correct horse battery staple", "scope": "orders:read"}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def post(site: SimpleNamespace, client_id: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await site.http.post("/session", json=SIGN_IN | {"client_id": client_id}, headers=named, auth=None)
    assert isinstance(answer, httpx.Response)
    return answer


async def test_a_public_client_needs_its_registered_origin(site: SimpleNamespace) -> None:
    assert (await post(site, "page", origin=PAGE, sec_fetch_site="cross-site")).status_code == 200
    assert code_of(await post(site, "page")) == (403, "confidential_client_required")
    assert code_of(await post(site, "page", sec_fetch_site="cross-site")) == (403, "origin_required")
    for origin in ("https://evil.example", "null", "https://page.example:444", "http://page.example", PAGE + "/"):
        assert code_of(await post(site, "page", origin=origin)) == (403, "origin_not_registered")


async def test_the_same_rule_holds_for_refreshing_and_logging_out(site: SimpleNamespace) -> None:
    token = (await post(site, "page", origin=PAGE)).json()["refresh_token"]
    body = {"client_id": "page", "refresh_token": token}
    for method, path in (("POST", "/session/refresh"), ("DELETE", "/session")):
        foreign = await site.http.request(
            method, path, json=body, headers={"origin": "https://evil.example"}, auth=None
        )
        assert code_of(foreign) == (403, "origin_not_registered")
        bare = await site.http.request(method, path, json=body, auth=None)
        assert code_of(bare) == (403, "confidential_client_required")
        answer = await site.http.request(method, path, json=body, headers={"origin": PAGE}, auth=None)
        assert answer.status_code in {200, 204}


async def test_a_client_that_is_not_first_party_signs_nobody_in(site: SimpleNamespace) -> None:
    answer = await site.http.post("/session", json=SIGN_IN, auth=("guest", "slc_guest"))
    assert code_of(answer) == (403, "client_not_first_party")


async def test_a_client_uses_one_authentication_method(site: SimpleNamespace) -> None:
    both = await site.http.post("/session", json=SIGN_IN | {"client_id": "other"})
    assert code_of(both) == (400, "several_authentication_methods")
    assert (await site.http.post("/session", json=SIGN_IN | {"client_id": "shop"})).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    ["Basic", "Basic !", "Basic c2hvcA==", "Bearer x", "Basic c2hvcDpzbGNfd3Jvbmc=", "Basic OnNsY19zaG9w"],
)
async def test_a_client_that_does_not_prove_itself_is_refused(site: SimpleNamespace, authorization: str) -> None:
    answer = await site.http.post("/session", json=SIGN_IN, headers={"authorization": authorization}, auth=None)
    assert code_of(answer) == (401, "client_authentication_failed")
    assert answer.headers["www-authenticate"] == 'Basic realm="sealring"'


async def test_who_names_no_client_is_refused(site: SimpleNamespace) -> None:
    answer = await site.http.post("/session", json=SIGN_IN, auth=None)
    assert code_of(answer) == (401, "client_authentication_failed")
