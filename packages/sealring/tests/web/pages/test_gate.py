"""Log-in at a gated host, and who would like to be let in without one."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from sealring.protocol.gate_registration import GateRegistration
from sealring.services.gate_registration import GateKeyMade, add_gate
from sealring.web.pages.gate import login_target

HOSTS = ("app.example", "other.example")


class Gates:
    """A site behind a proxy on this machine, with two gated hosts. `keys`: of their proxies."""

    def __init__(self, site: Any) -> None:  # noqa: ANN401 -- the fixture
        self.site = site
        self.keys: dict[str, str] = {}

    async def open(self) -> "Gates":
        for host in HOSTS:
            made = await add_gate(
                GateRegistration(host=host, api="orders", scopes=("orders:read",)),
                store=self.site.store,
                clock=lambda: self.site.now,
                randomness=self.site.opened.house.randomness,
                actor="cli:root",
            )
            assert isinstance(made, GateKeyMade), made
            self.keys[host] = made.gate_key.reveal()
        return self

    def visitor(self, address: str = "127.0.0.1") -> "Visitor":
        return Visitor(self, address)


class Visitor:
    """A browser: one jar for the issuer, and one for each gated host, as the proxies of these would pass them on."""

    def __init__(self, gates: Gates, address: str) -> None:
        self.gates = gates
        self.address = address
        self.issuer = gates.site.client(address)
        self.jars: dict[str, dict[str, str]] = {host: {} for host in HOSTS}

    async def open(self, address: str, headers: dict[str, str] | None = None) -> httpx.Response:
        """Open an address of the issuer or of a gated host."""
        parts = urlsplit(address)
        if parts.netloc not in self.jars:
            return await self.issuer.get(address, headers=headers)
        jar = self.jars[parts.netloc]
        cookie = "; ".join(f"{name}={value}" for name, value in jar.items())
        async with self.gates.site.client(self.address) as http:
            told = {"host": parts.netloc, "cookie": cookie} | (headers or {})
            answer = await http.get(f"{parts.path}?{parts.query}", headers=told)
        for text in answer.headers.get_list("set-cookie"):
            assert "Domain" not in text
            assert text.startswith("__Host-")
            assert "HttpOnly; SameSite=Lax; Secure" in text
            name, value = text.split(";")[0].split("=", 1)
            jar[name] = value
        return answer

    async def begin(self, target: str = "/", host: str = HOSTS[0]) -> httpx.Response:
        """Begin a log-in at a gated host, sign in at the issuer where it asks, and stop before the callback."""
        answer = await self.open(f"https://{host}{login_target(target)}")
        assert answer.status_code == 303, answer.text
        answer = await self.open(answer.headers["location"])
        if "/login?" in answer.headers["location"]:
            answer = await self.gates.site.log_in(self.issuer, answer)
        assert answer.headers["location"].startswith(f"https://{host}/.sealring/callback?"), answer.headers
        return answer

    async def sign_in(self, target: str = "/", host: str = HOSTS[0]) -> httpx.Response:
        return await self.open((await self.begin(target, host)).headers["location"])

    async def ask(
        self,
        host: str = HOSTS[0],
        *,
        cookie: str | None = None,
        headers: dict[str, str | None] | None = None,
        **more: str,
    ) -> httpx.Response:
        """Ask as the proxy of a host does."""
        jar = "; ".join(f"{name}={value}" for name, value in self.jars[host].items())
        told = {
            "sealring-gate-key": self.gates.keys[host],
            "x-forwarded-method": "GET",
            "x-forwarded-uri": "/",
            "cookie": jar if cookie is None else cookie,
        } | (headers or {})
        sent = {name: value for name, value in told.items() if value is not None}
        async with self.gates.site.client(self.address) as http:
            return await http.get("/gate", params={"host": host, **more}, headers=sent)


@pytest.fixture
async def gates(open_site: Any) -> AsyncIterator[Gates]:  # noqa: ANN401 -- the fixture
    async with open_site(trusted=("127.0.0.1/32",)) as site:
        yield await Gates(site).open()


def code_of(answer: httpx.Response) -> str:
    """Read the code on a page of ours."""
    codes = [part.split("</code>")[0] for part in answer.text.split("<code>")[1:]]
    return codes[1] if len(codes) > 1 else answer.text


async def test_a_person_comes_back_to_where_they_wanted_to_go(gates: Gates) -> None:
    person = gates.visitor()
    answer = await person.sign_in("/orders/1?a=b&c=%20d")
    assert answer.headers["location"] == "https://app.example/orders/1?a=b&c=%20d"
    assert (await person.ask()).status_code == 200
    # The next host asks for no password, and knows nothing of this one.
    assert (await person.ask("other.example")).status_code == 401
    assert (await person.sign_in(host="other.example")).headers["location"] == "https://other.example/"
    assert (await person.ask("other.example")).status_code == 200


async def test_the_longest_return_still_fits_the_state(gates: Gates) -> None:
    target = "/?" + "'" * 510
    assert (await gates.visitor().sign_in(target)).headers["location"] == f"https://app.example{target}"


@pytest.mark.parametrize(
    "target", ["//evil.example", "/\\evil.example", "https://evil.example/", "/.sealring/logout", "@evil"]
)
async def test_nobody_is_sent_to_another_host(gates: Gates, target: str) -> None:
    assert (await gates.visitor().sign_in(target)).headers["location"] == "https://app.example/"


async def test_a_callback_that_somebody_else_began_signs_nobody_in(gates: Gates) -> None:
    attacker, victim = gates.visitor(), gates.visitor()
    callback = (await attacker.begin()).headers["location"]
    await victim.begin()
    answer = await victim.open(callback)
    assert code_of(answer) == "interaction_expired"
    assert "__Host-sealring-gate" not in victim.jars["app.example"]
    # With the victim's own state in the place of the attacker's, the code is bound to another verifier.
    state = parse_qs(urlsplit((await victim.begin()).headers["location"]).query)["state"][0]
    members = dict(parse_qsl(urlsplit(callback).query)) | {"state": state}
    answer = await victim.open(f"https://app.example/.sealring/callback?{httpx.QueryParams(members)}")
    assert code_of(answer) == "code_refused"


async def test_a_callback_of_one_host_opens_no_other(gates: Gates) -> None:
    person = gates.visitor()
    callback = (await person.begin()).headers["location"]
    person.jars["other.example"] = person.jars["app.example"]
    answer = await person.open(callback.replace("app.example", "other.example"))
    assert code_of(answer) == "interaction_expired"


async def test_a_callback_that_is_replayed_ends_what_it_began(gates: Gates) -> None:
    person = gates.visitor()
    callback = (await person.begin()).headers["location"]
    await person.open(callback)
    assert (await person.ask()).status_code == 200
    assert (await gates.visitor().open(callback)).status_code == 400
    assert (await person.ask()).status_code == 200
    assert code_of(await person.open(callback)) == "code_refused"
    assert (await person.ask()).status_code == 401


async def test_two_tabs_that_sign_in_at_once_both_arrive(gates: Gates) -> None:
    person = gates.visitor()
    first, second = await person.begin("/1"), await person.begin("/2")
    for callback, target in ((first, "/1"), (second, "/2")):
        answer = await person.open(callback.headers["location"])
        assert answer.headers["location"] == f"https://app.example{target}"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"iss": "https://evil.example"}, "invalid_parameter"),
        ({"iss": None}, "invalid_parameter"),
        ({"code": None}, "missing_parameter"),
        ({"code": "x"}, "code_refused"),
        ({"code": None, "error": "access_denied"}, "access_denied"),
        ({"state": None}, "interaction_expired"),
        ({"state": "x.y"}, "interaction_expired"),
        ({"state": "\x00"}, "interaction_expired"),
        ({"code": ["a", "b"]}, "duplicate_parameter"),
    ],
)
async def test_a_callback_that_is_not_our_own_is_refused(gates: Gates, change: dict[str, Any], code: str) -> None:
    person = gates.visitor()
    members = dict(parse_qsl(urlsplit((await person.begin()).headers["location"]).query)) | change
    query = httpx.QueryParams({name: value for name, value in members.items() if value is not None})
    assert code_of(await person.open(f"https://app.example/.sealring/callback?{query}")) == code


async def test_a_log_out_ends_the_session_and_no_other_site_can_ask_for_it(gates: Gates) -> None:
    person = gates.visitor()
    await person.sign_in()
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
    ):
        assert code_of(await person.open("https://app.example/.sealring/logout", headers)) == "cross_site_form"
    assert (await person.ask()).status_code == 200
    kept = dict(person.jars["app.example"])
    answer = await person.open("https://app.example/.sealring/logout", {"sec-fetch-site": "same-origin"})
    assert answer.headers["location"] == "http://localhost:8799/logout?client_id=gate~app.example"
    person.jars["app.example"] = kept
    assert (await person.ask()).status_code == 401


async def test_paths_of_gated_hosts_are_answered_to_proxies_and_for_registered_hosts_alone(gates: Gates) -> None:
    for path in ("login", "callback", "logout"):
        stranger = gates.visitor("192.0.2.7")
        answer = await stranger.open(f"https://app.example/.sealring/{path}")
        assert code_of(answer) == "gate_proxy_not_trusted"
        for host in ("evil.example", "localhost:8799", "app.example.", "APP.example", "app.example:443", ""):
            async with gates.site.client() as http:
                answer = await http.get(f"/.sealring/{path}", headers={"host": host})
            assert (answer.status_code, code_of(answer)) == (421, "wrong_host")
    async with gates.site.client() as http:
        style = await http.get("/.sealring/static/sealring.css", headers={"host": "app.example"})
    assert style.status_code == 200


async def test_a_cookie_that_somebody_planted_beside_ours_is_refused(gates: Gates) -> None:
    person = gates.visitor()
    await person.sign_in()
    cookie = person.jars["app.example"]["__Host-sealring-gate"]
    answer = await person.ask(cookie=f"__Host-sealring-gate={cookie}; __Host-sealring-gate=slr_x")
    assert (answer.status_code, answer.json()["code"]) == (403, "duplicate_cookie")
    planted = await person.ask(cookie=f"sealring-gate={cookie}")
    assert planted.status_code == 401
