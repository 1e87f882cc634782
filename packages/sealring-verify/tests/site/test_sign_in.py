import itertools
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.site.settings import SiteSettings
from sealring_verify.site.sign_in import (
    Granted,
    Pending,
    Redeem,
    SignInRefused,
    authorization_url,
    begin,
    is_page_load,
    judge_return,
    parse_granted,
    safe_path,
    token_request,
)

ISSUER = "https://id.example"
SETTINGS = SiteSettings(issuer=ISSUER, client_id="site", client_secret="slc_x", site="https://shop.example")
NOW = 1_800_000_000.5
numbers = itertools.count()


def drawn(count: int) -> bytes:
    return next(numbers).to_bytes(count, "big")


def begun(return_to: str | None = "/orders") -> Pending:
    return begin(return_to=return_to, now=NOW, randomness=drawn)


def judged(pending: Pending | None, now: float = NOW, **changes: list[str] | None) -> Redeem | SignInRefused:
    state = "none" if pending is None else pending.state
    said = {"code": ["c"], "state": [state], "iss": [ISSUER]} | changes
    return judge_return({name: value for name, value in said.items() if value}, pending, issuer=ISSUER, now=now)


def test_a_request_has_all_that_the_answer_is_checked_by_and_not_the_verifier() -> None:
    pending = begun()
    url = authorization_url(pending, SETTINGS)
    query = {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}
    assert url.startswith("https://id.example/authorize?")
    assert query["redirect_uri"] == "https://shop.example/.sealring/callback"
    assert (query["state"], query["nonce"]) == (pending.state, pending.nonce)
    assert (query["code_challenge_method"], query["response_type"]) == ("S256", "code")
    assert pending.code_verifier not in url
    assert "slc_x" not in url
    assert msgspec.json.decode(query["claims"])["id_token"].keys() >= {"name", "email", "picture"}


def test_the_challenge_is_the_one_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    url = authorization_url(msgspec.structs.replace(begun(), code_verifier=verifier), SETTINGS)
    assert "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&" in url


def test_no_two_values_are_alike() -> None:
    values = [value for _ in range(20) for value in msgspec.structs.astuple(begun())[:3]]
    assert len(set(values)) == 60
    assert {len(value) for value in values} == {43}


@pytest.mark.parametrize(
    ("method", "fetch_mode", "is_load"),
    [
        *[("GET", None, True), ("GET", "navigate", True), ("HEAD", None, True)],
        *[("POST", "navigate", False), ("GET", "cors", False), ("GET", "no-cors", False), ("GET", "websocket", False)],
    ],
)
def test_only_a_page_load_can_go_by_the_log_in_page(method: str, fetch_mode: str | None, *, is_load: bool) -> None:
    assert is_page_load(method, fetch_mode) is is_load


def test_the_return_that_was_begun_is_redeemed_with_its_verifier() -> None:
    pending = begun()
    assert judged(pending, now=NOW + 599) == Redeem(code="c", pending=pending)
    form = parse_qs(token_request(Redeem(code="c", pending=pending), SETTINGS).decode())
    assert form["code_verifier"] == [pending.code_verifier]
    assert form["redirect_uri"] == ["https://shop.example/.sealring/callback"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": ["other"]}, "state_mismatch"),
        ({"state": None}, "state_mismatch"),
        ({"iss": ["https://evil.example"]}, "issuer_mismatch"),
        ({"iss": None}, "issuer_mismatch"),
        ({"code": None}, "callback_malformed"),
        ({"code": ["a b"]}, "callback_malformed"),
        ({"code": ["c" * 1025]}, "callback_malformed"),
        ({"code": ["a", "b"]}, "callback_malformed"),
        ({"other": ["a", "b"]}, "callback_malformed"),
        ({"error": ["access_denied"]}, "access_denied"),
        ({"error": ["<script>"]}, "callback_malformed"),
        ({"error": [""]}, "callback_malformed"),
    ],
)
def test_another_return_is_refused_by_name(changes: dict[str, list[str] | None], code: str) -> None:
    assert judged(begun(), **changes) == SignInRefused(code=code)


def test_a_return_without_a_beginning_and_one_too_late_are_refused() -> None:
    assert judged(None) == SignInRefused(code="state_mismatch")
    assert judged(None, state=[""]) == SignInRefused(code="state_mismatch")
    pending = begun()
    for now in (NOW + 601, NOW - 32):
        assert judged(pending, now=now) == SignInRefused(code="sign_in_expired")


def test_a_return_to_a_machine_whose_clock_is_behind_is_taken() -> None:
    assert isinstance(judged(begun(), now=NOW - 29), Redeem)


@given(st.dictionaries(st.text(), st.lists(st.text(), max_size=3)))
def test_whatever_comes_back_signs_nobody_in(parameters: dict[str, list[str]]) -> None:
    assert isinstance(judge_return(parameters, begun(), issuer=ISSUER, now=NOW), SignInRefused)


@pytest.mark.parametrize("path", ["/", "/orders", "/orders?of=2026&x=%20", "/a//b", "/~ada/#top"])
def test_a_path_of_the_site_is_gone_back_to(path: str) -> None:
    assert safe_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *(None, "", "orders", "//evil.example", "/\\evil.example", "\\/evil.example", "https://evil.example"),
        *("/a\\b", "/a\r\nSet-Cookie: x", "/a b", "/\tevil", "javascript:alert(1)", "/" + "a" * 1024, "/é", "/\x00"),
    ],
)
def test_anything_that_could_lead_elsewhere_leads_to_the_front(path: str | None) -> None:
    assert safe_path(path) == "/"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, b"{}", "code_refused"),
        (200, b"{}", "code_refused"),
        (200, b"<html>", "code_refused"),
        (200, b'{"access_token":"y","refresh_token":1,"id_token":"x"}', "code_refused"),
        (503, b"", "issuer_unavailable"),
    ],
)
def test_an_answer_without_tokens_signs_nobody_in(status: int, body: bytes, code: str) -> None:
    assert parse_granted(status, body) == SignInRefused(code=code)


def test_an_answer_gives_its_two_tokens() -> None:
    assert parse_granted(
        200, b'{"access_token":"d.e.f","refresh_token":"slr_a","id_token":"a.b.c","more":1}'
    ) == Granted(access_token="d.e.f", refresh_token="slr_a", id_token="a.b.c")
