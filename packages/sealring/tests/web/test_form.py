"""Every parameter of every endpoint that takes a form: missing, doubled, empty, long, garbled, of another type."""

from types import SimpleNamespace
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FORM = {"content-type": "application/x-www-form-urlencoded"}
API = ("orders", "sla_orders")
ROBOT = ("robot", "slc_robot")
OWN = {"grant_type": "client_credentials", "scope": "orders:read", "resource": "orders"}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "slr_x", "scope": "orders:read", "resource": "orders"}
IN_FORM = {"client_id": "poster", "client_secret": "slc_poster"}
HINTED = {"token": "x", "token_type_hint": "access_token"}
MEGABYTE = 2**20

# Endpoint, whose credentials, a good form, and what is answered where a parameter of it is absent (None: 200).
GOOD = "good"
CASES = {
    "own": ("/token", ROBOT, OWN, {"grant_type": "invalid_request", "scope": "invalid_scope", "resource": GOOD}),
    "own, posted": (
        "/token",
        None,
        OWN | IN_FORM,
        {
            "grant_type": "invalid_request",
            "scope": "invalid_scope",
            "resource": GOOD,
            "client_id": "invalid_client",
            "client_secret": "invalid_client",
        },
    ),
    "refresh": (
        "/token",
        ROBOT,
        REFRESH,
        {
            "grant_type": "invalid_request",
            "refresh_token": "invalid_request",
            "scope": "invalid_grant",
            "resource": "invalid_grant",
        },
    ),
    "revoke": ("/revoke", ROBOT, HINTED, {"token": "invalid_request", "token_type_hint": GOOD}),
    "revoke, posted": (
        "/revoke",
        None,
        HINTED | IN_FORM,
        {
            "token": "invalid_request",
            "token_type_hint": GOOD,
            "client_id": "invalid_client",
            "client_secret": "invalid_client",
        },
    ),
    "introspect": ("/introspect", API, HINTED, {"token": "invalid_request", "token_type_hint": GOOD}),
}
ROWS = [(case, name) for case, (_, _, form, _) in CASES.items() for name in form]


async def send(site: SimpleNamespace, case: str, body: bytes, headers: dict[str, str] = FORM) -> httpx.Response:
    path, auth, _, _ = CASES[case]
    answer = await site.http.post(path, content=body, headers=headers, auth=auth)
    assert isinstance(answer, httpx.Response)
    assert answer.status_code < 500, answer.text
    return answer


def outcome(answer: httpx.Response) -> str:
    return GOOD if answer.status_code == 200 else str(answer.json()["error"])


def expect_refusal(answer: httpx.Response, error: str) -> None:
    body = answer.json()
    assert body["error"] == error
    assert {"error", "error_description", "code"} <= body.keys() <= {"error", "error_description", "code", "error_id"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.status_code == (401 if error == "invalid_client" else answer.status_code)


@pytest.mark.parametrize(("case", "name"), ROWS)
async def test_a_missing_or_an_empty_parameter_has_the_error_of_the_rfc(
    site: SimpleNamespace, case: str, name: str
) -> None:
    _, _, form, missing = CASES[case]
    rest = {key: value for key, value in form.items() if key != name}
    for body in (urlencode(rest), urlencode(rest | {name: ""})):
        answer = await send(site, case, body.encode())
        assert outcome(answer) == missing[name]
        if answer.status_code != 200:
            expect_refusal(answer, missing[name])


@pytest.mark.parametrize(("case", "name"), ROWS)
async def test_a_doubled_parameter_is_refused_also_where_one_is_empty(
    site: SimpleNamespace, case: str, name: str
) -> None:
    form = CASES[case][2]
    for again in (form[name], "other", ""):
        answer = await send(site, case, urlencode([*form.items(), (name, again)]).encode())
        # RFC 8707 §2 has its own word for a second resource.
        expect_refusal(answer, "invalid_target" if name == "resource" else "invalid_request")
        assert answer.status_code == 400


@pytest.mark.parametrize(("case", "name"), ROWS)
async def test_a_megabyte_is_too_large(site: SimpleNamespace, case: str, name: str) -> None:
    answer = await send(site, case, urlencode(CASES[case][2] | {name: "a" * MEGABYTE}).encode())
    expect_refusal(answer, "invalid_request")
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(("case", "name"), ROWS)
@pytest.mark.parametrize("value", [b"%00", b"a%00b", b"%FF", b"%ED%A0%80", b"\xc3\xa9", b"\xff"])
async def test_nul_and_what_is_not_utf_8_are_refused(site: SimpleNamespace, case: str, name: str, value: bytes) -> None:
    rest = {key: text for key, text in CASES[case][2].items() if key != name}
    answer = await send(site, case, urlencode(rest).encode() + b"&" + name.encode() + b"=" + value)
    expect_refusal(answer, "invalid_request")
    assert answer.json()["code"] == "malformed_form"


@pytest.mark.parametrize(("case", "name"), ROWS)
@pytest.mark.parametrize("value", ["\u00e9", "\u202e", "[]", '{"a":1}', "null", "a" * 9000, "' OR 1=1 --", "\n", " "])
async def test_an_odd_value_never_costs_more_than_a_refusal(
    site: SimpleNamespace, case: str, name: str, value: str
) -> None:
    answer = await send(site, case, urlencode(CASES[case][2] | {name: value}).encode())
    if answer.status_code != 200:
        expect_refusal(answer, outcome(answer))
        assert answer.status_code in {400, 401}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "content_type", [None, "application/json", "text/plain", "multipart/form-data; boundary=x", ""]
)
async def test_only_a_form_is_taken(site: SimpleNamespace, case: str, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await send(site, case, urlencode(CASES[case][2]).encode(), headers)
    expect_refusal(answer, "invalid_request")
    assert (answer.status_code, answer.json()["code"]) == (415, "wrong_content_type")


@pytest.mark.parametrize("case", CASES)
async def test_a_charset_beside_the_content_type_is_no_hindrance(site: SimpleNamespace, case: str) -> None:
    headers = {"content-type": "Application/X-WWW-Form-Urlencoded; charset=UTF-8"}
    answer = await send(site, case, urlencode(CASES[case][2]).encode(), headers)
    assert answer.json()["code"] == "refresh_refused" if case == "refresh" else answer.status_code == 200


@pytest.mark.parametrize("case", CASES)
async def test_what_is_in_the_body_may_not_stand_in_the_address(site: SimpleNamespace, case: str) -> None:
    path, auth, form, _ = CASES[case]
    for name in form.keys() & {"token", "refresh_token", "client_secret", "client_id", "grant_type"}:
        answer = await site.http.post(f"{path}?{urlencode({name: form[name]})}", data=form, auth=auth)
        expect_refusal(answer, "invalid_request")
        assert answer.json()["code"] == "parameter_in_address"


PARAMETERS = st.sampled_from(sorted({name for _, _, form, _ in CASES.values() for name in form} | {"code", "x"}))
VALUES = st.sampled_from(
    ["orders:read", "client_credentials", "refresh_token", "slr_x", "poster", "orders", ""]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
BODIES = st.binary(max_size=200) | st.lists(st.tuples(PARAMETERS, VALUES), max_size=8).map(
    lambda pairs: urlencode(pairs).encode()
)


@given(
    case=st.sampled_from(sorted(CASES)),
    body=BODIES,
    authorization=st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
    # What a URL may hold; percent-encoding brings the rest.
    query=st.text(st.sampled_from("&=%+;0aEcktoen_"), max_size=40),
)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_no_form_makes_a_server_error(
    site: SimpleNamespace, *, case: str, body: bytes, authorization: str | None, query: str
) -> None:
    path, auth, _, _ = CASES[case]
    headers = FORM if authorization is None else FORM | {"authorization": authorization}
    url = f"{path}?{query}"
    answer = await site.http.post(url, content=body, headers=headers, auth=auth if authorization is None else None)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert answer.json()["error"]
        assert answer.json()["code"]
