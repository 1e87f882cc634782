from types import SimpleNamespace

import httpx
import pytest

API = ("orders", "sla_orders")


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "missing_parameter"),
        (b"token=", "missing_parameter"),
        (b"token=a&token=b", "duplicate_parameter"),
        (b"token=%ff", "malformed_form"),
        (b"token=%00", "malformed_form"),
    ],
)
async def test_each_bad_form_has_its_code(site: SimpleNamespace, body: bytes, code: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert code_of(await site.http.post("/introspect", content=body, headers=headers, auth=API)) == (400, code)


async def test_it_takes_a_form_and_nothing_else(site: SimpleNamespace) -> None:
    assert code_of(await site.http.post("/introspect", json={"token": "x"}, auth=API)) == (415, "wrong_content_type")


@pytest.mark.parametrize("auth", [None, ("orders", "sla_bills"), ("shop", "slc_shop"), ("nobody", "sla_orders")])
async def test_only_an_api_may_ask(site: SimpleNamespace, auth: tuple[str, str] | None) -> None:
    answer = await site.http.post("/introspect", data={"token": "x"}, auth=auth)
    assert code_of(answer) == (401, "client_authentication_failed")


async def sign_in(site: SimpleNamespace) -> str:
    request = {"username": "ada", "password": "correct horse battery staple", "scope": "orders:read"}
    answer = await site.http.post("/session", json=request, auth=("shop", "slc_shop"))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["refresh_token"])


async def ask(site: SimpleNamespace, token: str, auth: tuple[str, str] = ("shop", "slc_shop")) -> httpx.Response:
    answer: httpx.Response = await site.http.post("/introspect", data={"token": token}, auth=auth)
    return answer


async def test_a_client_learns_whether_the_session_of_its_refresh_token_lives(site: SimpleNamespace) -> None:
    token = await sign_in(site)
    for _ in range(2):
        told = (await ask(site, token)).json()
        assert told["active"] is True
        assert (told["client_id"], told["scope"]) == ("shop", "orders:read")
    # Asking is no use: the token still gets its successor, and is then older than the one to present.
    answer = await site.http.post("/session/refresh", json={"refresh_token": token}, auth=("shop", "slc_shop"))
    assert (await ask(site, token)).json() == {"active": False}
    successor = answer.json()["refresh_token"]
    assert (await ask(site, successor)).json()["sid"] == told["sid"]
    await site.http.request("DELETE", "/session", json={"refresh_token": successor}, auth=("shop", "slc_shop"))
    assert (await ask(site, successor)).json() == {"active": False}


async def test_a_refresh_token_is_nothing_to_an_api(site: SimpleNamespace) -> None:
    assert (await ask(site, await sign_in(site), API)).json() == {"active": False}


async def test_a_refresh_token_is_nothing_to_who_proves_nothing(site: SimpleNamespace) -> None:
    token = await sign_in(site)
    assert code_of(await ask(site, token, ("shop", "slc_wrong"))) == (401, "client_authentication_failed")
    for garbled in (token[:-1], token + "A", "slr_", "slr_" + "A" * 56):
        assert (await ask(site, garbled)).json() == {"active": False}
