import gzip
from typing import TYPE_CHECKING

import pytest

from sealring_verify import fetch
from sealring_verify.client_credentials import client_credentials_request
from sealring_verify.errors import IntrospectionUnavailable
from sealring_verify.fetch import (
    FetchFailed,
    MetadataRefused,
    ask_introspection,
    ask_token_endpoint,
    fetch_document,
    fetch_jwks,
    fetch_metadata,
)
from sealring_verify.introspection import IntrospectionClient, IntrospectionRequest, introspection_request
from sealring_verify.issuer_metadata import Discovery

if TYPE_CHECKING:
    from conftest import LocalIssuer


def _question(issuer: "LocalIssuer") -> IntrospectionRequest:
    client = IntrospectionClient(client_id="orders", client_secret="k")
    return introspection_request("a.b.c", endpoint=f"{issuer.url}/introspect", client=client)


def test_metadata_leads_to_the_keys(issuer_with_path: "LocalIssuer") -> None:
    answer = fetch_jwks(issuer_with_path.url)
    assert issuer_with_path.requests == ["/.well-known/oauth-authorization-server/auth/eu", "/auth/eu/jwks"]
    assert b'"kid": "k1"' in answer.document
    assert answer.cache_control == "max-age=300"
    assert answer.metadata.introspection_endpoint == f"{issuer_with_path.url}/introspect"


def test_a_document_comes_as_it_is_or_not_at_all(issuer: "LocalIssuer") -> None:
    assert b'"kid": "k1"' in fetch_document(f"{issuer.url}/jwks")
    issuer.faults["/jwks"] = lambda: (302, {"Location": "/elsewhere"}, b"")
    for address in (f"{issuer.url}/jwks", f"{issuer.url}/nowhere", "https://[nonsense"):
        with pytest.raises(FetchFailed):
            fetch_document(address)


@pytest.mark.parametrize("path", ["metadata", "keys"])
@pytest.mark.parametrize(
    "reply",
    [
        (404, {}, b"{}"),
        (500, {}, b"{}"),
        (204, {}, b""),
        (302, {"Location": "/jwks"}, b""),
        (301, {"Location": "http://127.0.0.1:1/jwks"}, b""),
        (200, {}, b"x" * (256 * 1024 + 1)),
        (200, {"Content-Length": "5000"}, b"{}"),  # truncated: the connection closes early
    ],
    ids=lambda reply: f"{reply[0]}-{len(reply[2])}",
)
def test_any_other_answer_is_a_failed_fetch(
    issuer: "LocalIssuer", path: str, reply: tuple[int, dict[str, str], bytes]
) -> None:
    faulty = issuer.metadata_path if path == "metadata" else "/jwks"
    issuer.faults[faulty] = lambda: (reply[0], {**reply[1], "Connection": "close"}, reply[2])
    with pytest.raises(FetchFailed):
        fetch_jwks(issuer.url)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"issuer":"https://evil.example"}'])
def test_metadata_of_another_kind_is_a_failed_fetch(issuer: "LocalIssuer", body: bytes) -> None:
    issuer.faults[issuer.metadata_path] = lambda: (200, {}, body)
    with pytest.raises(FetchFailed):
        fetch_jwks(issuer.url)
    assert issuer.requests == [issuer.metadata_path]


def test_compressed_answers_are_not_unpacked(issuer: "LocalIssuer") -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    issuer.faults[issuer.metadata_path] = lambda: (200, {"Content-Encoding": "gzip"}, bomb)
    with pytest.raises(FetchFailed, match="JSON"):
        fetch_jwks(issuer.url)


def test_an_issuer_that_is_down_is_a_failed_fetch(issuer: "LocalIssuer") -> None:
    issuer.stop()
    with pytest.raises(FetchFailed, match="ConnectError"):
        fetch_jwks(issuer.url)
    issuer.start(issuer.port)


def test_a_slow_issuer_is_given_up(issuer: "LocalIssuer", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.1)
    issuer.delay_once("/jwks", 0.5)
    with pytest.raises(FetchFailed, match=r"took longer|ReadTimeout"):
        fetch_jwks(issuer.url)


def test_proxies_of_the_environment_are_ignored(issuer: "LocalIssuer", monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert fetch_jwks(issuer.url).document


def test_introspection_is_asked_by_a_form(issuer: "LocalIssuer") -> None:
    answer = ask_introspection(_question(issuer))
    assert (answer.status, answer.body) == (200, b'{"active": true}')
    assert issuer.introspections[0][1] == b"token=a.b.c&token_type_hint=access_token"


@pytest.mark.parametrize("fault", ["down", "slow", "huge"])
def test_introspection_without_an_answer_is_unavailable(
    issuer: "LocalIssuer", monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.2)
    if fault == "slow":
        issuer.delay_once("/introspect", 0.6)
    if fault == "huge":
        issuer.faults["/introspect"] = lambda: (200, {}, b"x" * 300_000)
    if fault == "down":
        issuer.stop()
    with pytest.raises(IntrospectionUnavailable) as refused:
        ask_introspection(_question(issuer))
    assert refused.value.__suppress_context__
    if fault == "down":
        issuer.start(issuer.port)


def test_metadata_alone_asks_for_no_keys(issuer: "LocalIssuer") -> None:
    assert fetch_metadata(issuer.url).jwks_uri == f"{issuer.url}/jwks"
    assert issuer.requests == [issuer.metadata_path]
    issuer.faults[issuer.metadata_path] = lambda: (404, {}, b"{}")
    with pytest.raises(FetchFailed, match="404"):
        fetch_metadata(issuer.url)


def test_metadata_that_does_not_come_and_metadata_that_is_refused_are_two_things(issuer: "LocalIssuer") -> None:
    assert fetch_metadata(issuer.url).token_endpoint == f"{issuer.url}/token"
    issuer.faults[issuer.metadata_path] = lambda: (503, {}, b"")
    with pytest.raises(FetchFailed, match="503"):
        fetch_metadata(issuer.url)
    issuer.faults[issuer.metadata_path] = lambda: (200, {}, b'{"issuer":"https://evil.example"}')
    with pytest.raises(MetadataRefused, match="another issuer"):
        fetch_metadata(issuer.url)


def test_a_token_request_that_gets_no_answer_names_no_cause(issuer: "LocalIssuer") -> None:
    request = client_credentials_request(client_id="c", client_secret="slc_geheim", audience="orders", scope="x")
    assert ask_token_endpoint(f"{issuer.url}/token", request).status == 200
    issuer.stop()
    try:
        with pytest.raises(FetchFailed, match="ConnectError") as failed:
            ask_token_endpoint(f"{issuer.url}/token", request)
    finally:
        issuer.start(issuer.port)
    # The cause would hold the request, and the request the secret.
    assert failed.value.__cause__ is failed.value.__context__ is None


def test_another_issuers_metadata_and_keys_lie_where_its_discovery_says(issuer: "LocalIssuer") -> None:
    issuer.metadata_path = "/.well-known/openid-configuration"
    discovery = Discovery(url=f"{issuer.url}/.well-known/openid-configuration")
    assert fetch_jwks(issuer.url, discovery).metadata.jwks_uri == f"{issuer.url}/jwks"
    assert fetch_metadata(issuer.url, discovery).introspection_endpoint == f"{issuer.url}/introspect"
    assert issuer.requests == [issuer.metadata_path, "/jwks", issuer.metadata_path]
    told = Discovery(jwks_uri=f"{issuer.url}/jwks")
    assert b'"kid": "k1"' in fetch_jwks(issuer.url, told).document
    assert fetch_metadata(issuer.url, told).jwks_uri == f"{issuer.url}/jwks"
    assert issuer.requests[3:] == ["/jwks"]
