import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest

from sealring.services.readiness import Readiness

ORDERS = ("orders", "sla_orders")
REPORT = {
    "verifier": "v" * 22,
    "incarnation": None,
    "position": None,
    "age_ms": None,
    "keys": ["k7"],
    "counts": {"accepted": 3},
    "uses": [],
}


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    members: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return members


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def ask(
    site: SimpleNamespace, path: str, *, auth: tuple[str, str] | None = ORDERS, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    async with site.client(auth=auth) as api:
        return await api.get(path, headers=headers)


async def test_an_api_reads_what_ended_with_its_own_secret(site: SimpleNamespace) -> None:
    tokens = (await site.sign_in()).json()
    assert (
        await site.http.request("DELETE", "/session", json={"refresh_token": tokens["refresh_token"]})
    ).status_code == 204
    answer = await ask(site, "/revocations?after=0&nonce=" + "n" * 16)
    assert answer.headers["cache-control"] == "no-store"
    said = claims(answer.json()["message"])
    assert (said["aud"], said["n"], said["nonce"], len(said["entries"])) == ("orders", 1, "n" * 16, 1)
    snapshot = claims((await ask(site, "/revocations/snapshot")).json()["message"])
    assert (snapshot["n"], snapshot["entries"], "after" in snapshot) == (1, said["entries"], False)


@pytest.mark.parametrize("path", ["/revocations?after=0", "/revocations/snapshot"])
async def test_nobody_else_reads_it(site: SimpleNamespace, path: str) -> None:
    access_token = (await site.sign_in()).json()["access_token"]
    for auth in (None, ("orders", "sla_other"), ("shop", "slc_shop"), ("nobody", "sla_orders")):
        assert code_of(await ask(site, path, auth=auth)) == (401, "client_authentication_failed")
    bearer = {"authorization": f"Bearer {access_token}"}
    assert code_of(await ask(site, path, auth=None, headers=bearer)) == (401, "client_authentication_failed")
    query = path + ("&" if "?" in path else "?") + "api_key=sla_orders&access_token=" + access_token
    assert code_of(await ask(site, query, auth=None)) == (401, "client_authentication_failed")


async def test_whoever_slept_through_nothing_hears_so_in_a_header(site: SimpleNamespace) -> None:
    for path in ("/revocations?after=0", "/revocations/snapshot"):
        first = await ask(site, path)
        again = await ask(site, path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert claims(again.headers["sealring-checkpoint"])["entries"] == []
    sid = (await site.sign_in()).json()["sid"]
    await site.store.sessions.end(sid, reason="logged_out", now=site.now, events=[])
    news = await ask(site, "/revocations?after=0", headers={"if-none-match": first.headers["etag"]})
    assert len(claims(news.json()["message"])["entries"]) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (400, "invalid_parameter")),
        ("?after=x", (400, "invalid_parameter")),
        ("?after=1&after=1", (400, "duplicate_parameter")),
        ("?after=0&wait=99", (400, "invalid_parameter")),
        ("?after=7", (410, "feed_gap")),
    ],
)
async def test_a_place_that_cannot_be_is_refused(site: SimpleNamespace, query: str, expected: tuple[int, str]) -> None:
    assert code_of(await ask(site, "/revocations" + query)) == expected
    stream = await ask(site, "/revocations" + query, headers={"accept": "text/event-stream"})
    assert code_of(stream) == expected


async def test_the_feeds_keys_are_published_apart(site: SimpleNamespace) -> None:
    feed, tokens = await ask(site, "/revocations/jwks", auth=None), await ask(site, "/jwks", auth=None)
    assert {key["kid"] for key in feed.json()["keys"]}.isdisjoint(key["kid"] for key in tokens.json()["keys"])


async def test_a_head_request_opens_no_stream(site: SimpleNamespace) -> None:
    async with site.client(auth=ORDERS) as api:
        answer = await api.head("/revocations?after=0", headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert site.opened.house.feed.readers("orders") == 0


async def test_a_report_is_kept_under_the_name_of_its_credential(site: SimpleNamespace) -> None:
    async with site.client(auth=ORDERS) as api:
        assert (await api.post("/reports", json=REPORT)).status_code == 204
        assert code_of(await api.post("/reports", content=b"{")) == (400, "malformed_json")
        assert code_of(await api.post("/reports", json=REPORT | {"keys": ["\x1b"]})) == (400, "invalid_parameter")
        assert code_of(await api.post("/reports", content=b" " * 20_000)) == (413, "body_too_large")
    summary = site.opened.house.reports.summary("orders", now=site.now)
    assert (summary.keys, summary.counts) == (("k7",), {"accepted": 3})
    async with site.client() as nobody:
        assert code_of(await nobody.post("/reports", json=REPORT)) == (401, "client_authentication_failed")


async def test_a_store_that_was_rolled_back_tells_nothing(site: SimpleNamespace) -> None:
    site.rehouse(readiness=Readiness(halted=True))
    for path in ("/revocations?after=0", "/revocations/snapshot"):
        assert code_of(await ask(site, path)) == (503, "store_rolled_back")


async def test_a_shorter_lifetime_is_stated_after_a_day(site: SimpleNamespace) -> None:
    api = await site.store.apis.find("orders")
    await site.store.apis.replace(msgspec.structs.replace(api, access_token_lifetime=1200), read=api, events=[])
    said = claims((await ask(site, "/revocations?after=0")).json()["message"])
    assert said["max_access_token_lifetime"] == 1200
