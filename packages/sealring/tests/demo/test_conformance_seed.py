import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from sealring.compose import DemoTerms, OpenHouse, make_master_key, open_house
from sealring.config import Settings
from sealring.demo.conformance_seed import ConformanceSeed, ConformanceSeeded, sow_conformance_seed
from sealring.demo.folder import DemoProblem, make_settings_of_demo
from sealring.demo.seeding import read_seed, seed_idle_demo, settings_of_seeded_demo
from sealring.protocol.errors import OAuthError
from sealring.protocol.json_object import parse_json_object
from sealring.web.app import WebApp, WebPolicy

SUITE = "https://suite.example:8443/test/a/sealring"
CLAIMS = {
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "email": "ada@example.com",
    "email_verified": True,
    "updated_at": 1_700_000_000,
    "address": {"country": "GB"},
}


def static_client(client_id: str, **members: object) -> dict[str, object]:
    return {
        "client_id": client_id,
        "client_secret": f"{client_id} secret: any text, äöü",
        "client_name": client_id,
        "redirect_uris": [f"{SUITE}/callback"],
        "post_logout_redirect_uris": [f"{SUITE}/post_logout_redirect"],
        "backchannel_logout_uri": f"{SUITE}/backchannel_logout",
        "frontchannel_logout_uri": f"{SUITE}/frontchannel_logout",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "openid profile email address phone offline_access",
        "id_token_signed_response_alg": "RS256",
        "require_pkce": False,
        **members,
    }


STATIC: dict[str, Any] = {
    "users": [{"username": "suite", "password": "1", "claims": CLAIMS}],
    "clients": [
        static_client("client"),
        static_client("client2"),
        static_client("client-post", token_endpoint_auth_method="client_secret_post"),
    ],
}


def seed_of(members: dict[str, Any]) -> ConformanceSeed:
    seed = parse_json_object(json.dumps(members).encode(), ConformanceSeed)
    assert isinstance(seed, ConformanceSeed), seed
    return seed


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = make_settings_of_demo(tmp_path / "demo", port=9000)
    make_master_key(made)
    return made


@pytest.fixture
async def demo(settings: Settings) -> AsyncIterator[OpenHouse]:
    terms = DemoTerms(routes={}, clock_offset_file=settings.folder / "clock-offset")
    async with open_house(settings, demo=terms) as opened:
        yield opened


async def sow(demo: OpenHouse, members: dict[str, Any]) -> ConformanceSeeded | OAuthError:
    return await sow_conformance_seed(seed_of(members), demo.desk, "cli:root")


async def test_a_seeded_person_signs_in_to_a_seeded_client_without_pkce(demo: OpenHouse) -> None:
    seeded = await sow(demo, STATIC)
    assert seeded == ConformanceSeeded(users=("suite",), clients=("client", "client2", "client-post"))
    transport = httpx.ASGITransport(WebApp(demo.house, policy=WebPolicy()), client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url=demo.house.issuer) as browser:
        asked = {
            "client_id": "client-post",
            "redirect_uri": f"{SUITE}/callback",
            "response_type": "code",
            "scope": "openid profile email",
            "state": "s",
        }
        waiting = await browser.get("/authorize", params=asked)
        page = await browser.get(waiting.headers["location"])
        form = {"interaction": interaction(page), "username": "suite", "password": "1"}
        signed_in = await browser.post("/login", data=form)
        answer = await browser.get(signed_in.headers["location"])
        page = await browser.get(answer.headers["location"])
        agreed = await browser.post("/consent", data={"interaction": interaction(page), "decision": "allow"})
        answered = parse_qs(urlsplit(agreed.headers["location"]).query)
        redeemed = {
            "grant_type": "authorization_code",
            "code": answered["code"][0],
            "redirect_uri": f"{SUITE}/callback",
            "client_id": "client-post",
            "client_secret": "client-post secret: any text, äöü",
        }
        tokens = (await browser.post("/token", data=redeemed)).json()
        assert tokens["refresh_token"]
        told = await browser.get("/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
    expected = {name: value for name, value in CLAIMS.items() if name != "address"} | {"preferred_username": "suite"}
    assert {name: value for name, value in told.json().items() if name != "sub"} == expected


def interaction(page: httpx.Response) -> str:
    found = re.search(r'name="interaction" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


async def test_a_seed_sown_twice_is_as_if_sown_once(demo: OpenHouse) -> None:
    await sow(demo, STATIC)
    before = await demo.desk.store.audit.list_events(after=-1, limit=100)
    clients = await demo.desk.store.clients.list_all()
    await sow(demo, STATIC)
    assert await demo.desk.store.audit.list_events(after=-1, limit=100) == before
    assert await demo.desk.store.clients.list_all() == clients


async def test_another_seed_changes_who_is_there(demo: OpenHouse) -> None:
    await sow(demo, STATIC)
    person = {"username": "suite", "password": "2", "claims": {"name": "Countess"}}
    await sow(demo, {"users": [person], "clients": [static_client("client", client_secret="other", client_name="New")]})
    (user,) = await demo.desk.store.users.list_all(after=None, limit=10)
    assert (user.claims, user.demo) == ({"name": "Countess"}, True)
    client = await demo.desk.store.clients.find("client")
    assert client is not None
    assert client.name == "New"
    events = [recorded.event.event for _, recorded in await demo.desk.store.audit.list_events(after=-1, limit=100)]
    assert events[-3:] == ["user_changed", "password_changed", "client_changed"]


async def test_keys_of_the_algorithms_are_at_work_at_once(demo: OpenHouse) -> None:
    await sow(demo, {"clients": [static_client("client", userinfo_signed_response_alg="PS256")]})
    active = {key.alg for key in (await demo.desk.store.keys.stock()).keys if key.state == "active"}
    assert active >= {"RS256", "PS256"}


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"clients": [static_client("client", client_secret=None)]}, "invalid_client_metadata"),
        ({"clients": [static_client("client", token_endpoint_auth_method="none")]}, "invalid_client_metadata"),
        ({"clients": [static_client("client", redirect_uris=["http://suite.example/"])]}, "invalid_redirect_uri"),
        ({"clients": [static_client("bad id")]}, "invalid_client_metadata"),
        ({"users": [{"username": "suite", "password": "1", "claims": {"sub": "x"}}]}, "reserved_claim"),
        ({"users": [{"username": "suite", "password": "1", "claims": {"email_verified": "x"}}]}, "invalid_parameter"),
        ({"users": [{"username": "", "password": "1"}]}, "invalid_login_name"),
        ({"users": [{"username": "suite", "password": "\ufffe" * 1025}]}, "password_refused"),
    ],
)
async def test_a_seed_that_cannot_be_is_refused_with_the_name_of_whom(
    demo: OpenHouse, members: dict[str, Any], code: str
) -> None:
    outcome = await sow(demo, members)
    assert isinstance(outcome, OAuthError)
    assert outcome.code == code
    assert outcome.description.startswith(("client '", "user '"))
    assert await demo.desk.store.clients.list_all() == ()


async def test_a_real_installation_takes_no_seed(settings: Settings) -> None:
    async with open_house(settings) as opened:
        outcome = await sow(opened, STATIC)
        assert isinstance(outcome, OAuthError)
        assert outcome.code == "unknown_act"
        assert await opened.desk.store.clients.list_all() == ()
    with pytest.raises(DemoProblem, match="real installation"):
        await seed_idle_demo(settings, STATIC)


async def test_a_demo_that_was_never_started_is_made_by_its_seed(tmp_path: Path) -> None:
    file = tmp_path / "seed.json"
    file.write_text(json.dumps(STATIC))
    settings = settings_of_seeded_demo(tmp_path / "demo", port=9000)
    seeded = await seed_idle_demo(settings, read_seed(str(file)))
    assert seeded["users"] == ("suite",)
    assert settings_of_seeded_demo(tmp_path / "demo", port=1) == settings
    terms = DemoTerms(routes={}, clock_offset_file=settings.folder / "clock-offset")
    async with open_house(settings, demo=terms) as opened:
        assert len(await opened.desk.store.clients.list_all()) == 3


@pytest.mark.parametrize("text", ["", "[]", '{"users":1}', '{"people":[]}', '{"users":[],"users":[]}', "\ufeff{}"])
def test_a_file_that_is_no_seed_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "seed.json").write_text(text)
    with pytest.raises(DemoProblem, match=re.escape("seed.json")):
        read_seed(str(tmp_path / "seed.json"))
    with pytest.raises(DemoProblem, match="cannot be read"):
        read_seed(str(tmp_path / "missing.json"))


def test_no_secret_of_a_seed_is_in_its_repr() -> None:
    assert "any text" not in repr(seed_of(STATIC))
    assert "1" not in repr(msgspec.structs.replace(seed_of(STATIC).users[0], claims={}))
