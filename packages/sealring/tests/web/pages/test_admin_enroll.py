from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx

from sealring.services.administrator import make_administrator_link

PASSWORD = "lamp-orbit-cedar-violin"


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def link_secret(site: SimpleNamespace) -> str:
    house = site.opened.house
    link = await make_administrator_link(
        store=house.store, issuer=house.issuer, clock=house.clock, randomness=house.randomness, actor="cli:root"
    )
    return urlsplit(link.url.reveal()).fragment


async def enroll(site: SimpleNamespace, secret: str, **headers: str) -> httpx.Response:
    body = {"link_secret": secret, "username": "root", "password": PASSWORD}
    answer = await site.http.post("/admin/enroll", json=body, auth=None, headers=headers)
    assert isinstance(answer, httpx.Response)
    return answer


async def test_the_page_runs_under_a_policy_without_inline_script(site: SimpleNamespace) -> None:
    page = await site.http.get("/admin/enroll")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy
    for mark in ("<style", "onclick=", "style="):
        assert mark not in page.text


async def test_a_link_makes_one_administrator_once(site: SimpleNamespace) -> None:
    secret = await link_secret(site)
    made = await enroll(site, secret)
    assert (made.status_code, made.json()) == (200, {"username": "root", "email": None})
    assert code_of(await enroll(site, secret)) == (400, "link_refused")


async def test_another_sites_page_cannot_spend_a_link(site: SimpleNamespace) -> None:
    secret = await link_secret(site)
    refused = await enroll(site, secret, **{"sec-fetch-site": "cross-site"})
    assert code_of(refused) == (403, "origin_not_registered")
    assert (await enroll(site, secret, **{"sec-fetch-site": "same-origin"})).status_code == 200


async def test_guessing_links_is_limited(site: SimpleNamespace) -> None:
    codes = [code_of(await enroll(site, f"slk_{number:043}"))[1] for number in range(11)]
    assert codes == ["link_refused"] * 10 + ["too_many_attempts"]
