"""Whatever is sent to whatever address: an answer comes, soon, and it is no server error."""

import asyncio
import json
import re
from types import SimpleNamespace
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealring.web.routes import CROSS_ORIGIN, HASHING, ROUTES, WELL_KNOWN

ENDPOINTS = sorted((path, method) for path, methods in {**ROUTES, **WELL_KNOWN}.items() for method in methods)
LONGEST_SECONDS = 10

WORDS = st.sampled_from(
    [
        "shop", "robot", "page", "ada", "u1", "orders", "orders:read", "sessions", "slr_AAAA", "correct horse battery",
        "client_credentials", "refresh_token", "http://localhost:8799", "\x00", "\u00e9", "\ud800", "", "../..",
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "client_id", "username", "password", "device_token", "subject", "auth_time", "amr", "claims", "scope",
        "resource", "refresh_token", "current_password", "new_password", "link_secret", "email", "verifier",
        "incarnation", "position", "age_ms", "keys", "counts", "uses",
    ]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
BODIES = st.one_of(
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(NAMES, VALUES, max_size=8).map(lambda members: json.dumps(members).encode()),
    st.integers(1, 15_000).map(lambda depth: b"[" * depth),
    st.binary(max_size=100),
)
VISIBLE = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "authorization": st.sampled_from(
            [
                "Basic c2hvcDpzbGNfc2hvcA==",  # shop:slc_shop
                "Basic YmFja2VuZDpzbGNfYmFja2VuZA==",  # backend:slc_backend
                "Basic b3JkZXJzOnNsYV9vcmRlcnM=",  # orders:sla_orders
                "Bearer",
                "Bearer x.y.z",
                "own token",
            ]
        )
        | VISIBLE,
        "origin": st.sampled_from(["https://page.example", "https://evil.example", "null"]) | VISIBLE,
        "sec-fetch-site": st.sampled_from(["same-origin", "cross-site", "x"]),
        "if-none-match": VISIBLE,
        "user-agent": VISIBLE,
        "cookie": VISIBLE,
        "x-forwarded-for": VISIBLE,
        "access-control-request-method": VISIBLE,
        "accept": st.sampled_from(["application/json", "*/*", ""]),
    },
)


@given(
    endpoint=st.sampled_from(ENDPOINTS),
    asked=st.sampled_from(["as it is", "as it is", "as it is", "OPTIONS", "HEAD", "PATCH"]),
    body=BODIES,
    content_type=st.sampled_from(
        ["application/json", "application/json", "application/x-www-form-urlencoded", "text/x"]
    ),
    headers=HEADERS,
    part=WORDS.filter(lambda word: word not in {"", "\ud800"})
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
)
@settings(
    max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_every_address_answers_in_time_whatever_is_sent(
    site: SimpleNamespace,
    *,
    endpoint: tuple[str, str],
    asked: str,
    body: bytes,
    content_type: str,
    headers: dict[str, str],
    part: str,
) -> None:
    if "own" not in site.__dict__:
        site.own = (await site.own_token())[1]["authorization"]
    if headers.get("authorization") == "own token":
        headers = headers | {"authorization": site.own}
    sent = {name: value.strip().encode("latin-1") for name, value in headers.items()}
    path = re.sub(r"{\w+}", quote(part, safe=""), endpoint[0])
    method = endpoint[1] if asked == "as it is" else asked
    async with asyncio.timeout(LONGEST_SECONDS):
        answer = await site.http.request(
            method, path, content=body, headers={"content-type": content_type.encode(), **sent}, auth=None
        )
    assert answer.status_code < 500, answer.text
    if answer.status_code < 400 or endpoint[0].startswith(("/admin", "/static")) or method == "HEAD":
        return
    if answer.headers["content-type"].startswith("text/html"):
        assert endpoint[0] in PAGES
        assert 'role="alert"' in answer.text
    else:
        expect_error(answer)


PAGES = {"/authorize", "/login", "/consent", "/logout", "/logged-out", "/account"}


def expect_error(answer: httpx.Response) -> None:
    told = answer.json()
    assert {"error", "error_description", "code"} <= told.keys()
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) == (
        answer.status_code == 401 or told["error"] == "insufficient_scope"
    )


def test_whatever_the_table_says_of_a_path_is_of_a_path_that_exists() -> None:
    assert ROUTES.keys() >= (CROSS_ORIGIN | HASHING)
