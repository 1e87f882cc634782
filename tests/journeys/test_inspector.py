"""The inspector's page in a real browser: from its file, and from the server; it says what the command says."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from playwright.async_api import Browser, Page, Request

from sealring_verify.inspect.dates import date_in_words
from sealring_verify.inspect.decoding import SignedToken, read_token
from sealring_verify.inspect.page import write_page
from sealring_verify.inspect.remarks import kind_of, remarks_on

if TYPE_CHECKING:
    from conftest import Installation

ROOT: Final = Path(__file__).parents[2]
FILE: Final = (ROOT / "docs/inspector.html").as_uri()
TABLE: Final = json.loads((ROOT / "packages/sealring-verify/tests/inspect/cases.json").read_text())
PHONE: Final = 360
REMARKS: Final = """() => [...document.querySelectorAll("#remarks li")].map((item) =>
    [item.dataset.code, item.dataset.about ?? null])"""


class Opened:
    """The page at the table's time, and whatever it asked of the network or complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.faults: list[str] = []
        page.on("request", self._note)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self.faults.append(said.text))

    async def open(self, address: str = FILE) -> None:
        await self.page.clock.set_fixed_time(TABLE["now"])
        await self.page.goto(address)

    async def inspect(self, token: str, keys: str = "") -> None:
        """Fill both fields as a paste does, and wait until the page has said its last word."""
        await self.page.evaluate(
            """async ([token, keys]) => {
                document.getElementById("token").value = token;
                document.getElementById("keys").value = keys;
                await inspect();
            }""",
            [token, keys],
        )

    async def told(self) -> tuple[str | None, Any]:
        return await self.page.get_attribute("#kind", "data-kind"), await self.page.evaluate(REMARKS)

    def _note(self, request: Request) -> None:
        self.requests.append(request.url)


@pytest.fixture
async def opened(browser: Browser) -> AsyncIterator[Opened]:
    """The page from its file; whatever a test does with it, it sends nothing, keeps nothing, and raises nothing."""
    context = await browser.new_context()
    opened = Opened(await context.new_page())
    await opened.open()
    yield opened
    kept = "[localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length]"
    assert await opened.page.evaluate(f"(async () => {kept})()") == [0, 0, "", 0]
    assert opened.requests == [FILE]
    assert opened.faults == []
    await context.close()


async def test_the_page_says_of_each_token_what_the_command_says(opened: Opened) -> None:
    said = []
    for case in TABLE["remarks"]:
        await opened.inspect(case["token"])
        said.append((case["why"], *(await opened.told())))
    assert said == [(case["why"], case["kind"], case["remarks"]) for case in TABLE["remarks"]]


async def test_page_and_command_agree_on_tokens_that_nobody_thought_of(opened: Opened) -> None:
    dice = Random(9068)  # noqa: S311 - tokens of a test, the same ones each time
    tokens = [thrown_token(dice) for _ in range(1500)]
    found = await opened.page.evaluate(
        """async ([tokens, now]) => Promise.all(tokens.map(async (text) => {
            const token = readToken(text);
            const remarks = await remarksOn(token, now);
            const weighed = LEVELS.flatMap((level) => remarks.filter(([code]) => WORDS.REMARKS[code][0] === level));
            const dates = [...(token.claims ?? [])].map(([name, value]) => [name, dateInWords(value, now)]);
            return [kindOf(token), weighed, dates];
        }))""",
        [tokens, TABLE["now"]],
    )
    for text, (kind, remarks, dates) in zip(tokens, found, strict=True):
        token = read_token(text)
        claims = (token.claims if isinstance(token, SignedToken) else None) or {}
        expected = [[remark.code, remark.about] for remark in remarks_on(token, now=TABLE["now"])]
        assert (kind, remarks) == (kind_of(token), expected), text
        assert dates == [[name, date_in_words(value, now=TABLE["now"])] for name, value in claims.items()], text


def thrown_token(dice: Random) -> str:
    """Throw a token of members that count, with values that fit or do not."""
    names = ("alg", "typ", "kid", "cty", "crit", "zip", "jwk", "iss", "sub", "aud", "exp", "nbf", "iat", "auth_time")
    names += ("scope", "client_id", "nonce", "events", "token_use", "email", "Password", "cnf", "jti", "x\u200b", "7")
    now = TABLE["now"]
    values = (
        "none",
        "ES256",
        "HS256",
        "EdDSA",
        "at+jwt",
        "Application/JWT",
        "../x",
        "a@b.example",
        "x' or 1=1",
        "id",
        "*",
    )
    values += (
        "slr_" + "A" * 30,
        "\u202e",
        "",
        0,
        -1,
        now,
        now + 31,
        now + 4000,
        now * 1000,
        10**30,
        1.5,
        1e300,
        True,
        None,
    )
    values += (
        [],
        ["*", "b"],
        ["a\x1b"],
        {},
        {"a": {"b": ["\x00"]}},
        {"http://schemas.openid.net/event/backchannel-logout": {}},
    )
    parts = [{dice.choice(names): dice.choice(values) for _ in range(dice.randrange(10))} for _ in range(2)]
    texts = [json.dumps(part, ensure_ascii=dice.random() < 0.5) for part in parts]
    if dice.random() < 0.2:
        place = dice.randrange(len(texts[1]))
        texts[1] = texts[1][:place] + dice.choice('{}[],:"\\ 0e\t') + texts[1][place + dice.randrange(2) :]
    encode = dice.choice((urlsafe_b64encode, urlsafe_b64encode, b64encode))
    encoded = [encode(text.encode()).decode() for text in texts]
    signature = dice.choice(("", "eA", "eB", "=", "c2lnbmF0dXJl"))
    return ".".join([*(part if dice.random() < 0.1 else part.rstrip("=") for part in encoded), signature])


async def test_the_page_verifies_each_token_as_the_command_does(opened: Opened) -> None:
    said = []
    for case in TABLE["verification"]:
        await opened.inspect(case["token"], case["keys"])
        outcome, code = [await opened.page.get_attribute("#verdict", f"data-{name}") for name in ("outcome", "code")]
        said.append((case["why"], outcome, code or None))
    expected = [
        (case["why"], "refused" if case["code"] else "verified", case["code"]) for case in TABLE["verification"]
    ]
    assert said == expected


async def test_a_token_is_typed_read_and_forgotten(opened: Opened) -> None:
    page = opened.page
    await page.wait_for_selector("#token:focus")  # from the beginning, as soon as the page is drawn
    await page.keyboard.insert_text(TABLE["remarks"][0]["token"])
    await page.wait_for_selector("#claims dt")
    assert "expires 2027-01-15 08:10:00 UTC, in 10 min" in await page.inner_text("#claims")
    assert "ES256" in await page.inner_text("#header")
    for _ in range(2):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # Clear
    await page.wait_for_selector("#nothing")
    assert await page.input_value("#token") == ""
    assert await page.text_content("#claims") == ""


async def test_what_a_token_holds_becomes_text_and_never_markup(opened: Opened) -> None:
    claims = {"<img src=x onerror=alert(1)>": "</script><script>alert(1)</script>", "x": "a\u202eb\x1b"}
    parts = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "<b>"}, claims)]
    await opened.inspect(".".join([*parts, "eA"]))
    shown = await opened.page.inner_text("#claims")
    assert "</script><script>alert(1)</script>" in shown
    assert r"a\u{202e}b\u{1b}" in shown
    assert await opened.page.locator("main img, main script, #header b").count() == 0


async def test_a_secret_may_be_base64_and_a_short_one_is_remarked(opened: Opened) -> None:
    page = opened.page
    case = next(case for case in TABLE["verification"] if case["why"].endswith("too short"))
    await opened.inspect(case["token"], "c2hvcnQtYW5kLXVuY29tbW9u")
    assert await page.get_attribute("#verdict", "data-code") == "bad_signature"
    await page.check("#base64")
    await page.wait_for_selector("#verdict.verified")
    assert "short_secret" in [code for code, _ in (await opened.told())[1]]
    for keys, said in (("==", "empty"), ("!", "not base64")):
        await opened.inspect(case["token"], keys)
        assert said in await page.inner_text("#verdict")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "private key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "not on P-256"),
        ("{", "no JSON"),
        ('{"keys": 5}', "list named keys"),
        ('{"keys": [5, null, {"kty": "EC", "crv": "P-256", "d": "x"}]}', "no key that can be used"),
    ],
)
async def test_keys_that_cannot_be_used_are_a_sentence(opened: Opened, keys: str, said: str) -> None:
    await opened.inspect(TABLE["remarks"][0]["token"], keys)
    assert await opened.page.get_attribute("#verdict", "data-outcome") == "problem"
    assert said in await opened.page.inner_text("#verdict")


async def test_a_phone_shows_it_without_a_sideways_scroll_and_every_field_has_its_name(opened: Opened) -> None:
    page = opened.page
    await page.set_viewport_size({"width": PHONE, "height": 740})
    for case in TABLE["remarks"]:
        await opened.inspect(case["token"])
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE, case["why"]
    unnamed = (
        "[...document.querySelectorAll('textarea, input, button')].filter((e) => !e.labels?.length && !e.textContent)"
    )
    assert await page.evaluate(f"{unnamed}.length") == 0
    tree = await page.locator("main").aria_snapshot()
    for landmark in ('textbox "Token"', 'textbox "Verify with"', 'region "Claims"', 'region "A reviewer’s remarks"'):
        assert landmark in tree
    assert tree.count("- status") == 2


async def test_the_server_gives_the_same_page_under_its_own_policy(
    installation: "Installation", browser: Browser
) -> None:
    await installation.start()
    address = f"{installation.issuer}/inspect"
    async with httpx.AsyncClient() as client:
        answer = await client.get(address)
    assert answer.content == (ROOT / "docs/inspector.html").read_bytes()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == write_page().policy
    opened = Opened(await browser.new_page())
    await opened.open(address)
    case = TABLE["verification"][0]
    await opened.inspect(case["token"], case["keys"])
    assert await opened.page.get_attribute("#verdict", "data-outcome") == "verified"
    # No icon either: a browser asks for one by itself, after the page.
    assert [url for url in opened.requests if not url.endswith("/favicon.ico")] == [address]
    assert [fault for fault in opened.faults if "404" not in fault] == []
