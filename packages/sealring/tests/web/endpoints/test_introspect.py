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
