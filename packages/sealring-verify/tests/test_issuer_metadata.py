import json

import pytest

from sealring_verify.issuer_metadata import (
    Discovery,
    IssuerMetadata,
    known_metadata,
    metadata_url,
    openid_configuration_url,
    parse_issuer,
    parse_metadata,
)

ISSUER = "https://id.example.com/auth"


@pytest.mark.parametrize(
    "issuer",
    [
        "https://id.example.com",
        "https://id.example.com/auth",
        "https://id.example.com:8443",
        "http://localhost:8700",
        "http://127.0.0.1:8700/x",
        "http://127.8.8.8",
        "http://[::1]:8700",
    ],
)
def test_an_https_or_loopback_issuer_is_taken_unchanged(issuer: str) -> None:
    assert parse_issuer(issuer) == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "id.example.com",
        "ftp://id.example.com",
        "https://",
        "https:///path",
        "http://id.example.com",
        "http://localhost.evil.example",
        "http://0.0.0.0:8700",
        "http://192.168.1.2",
        "https://id.example.com?x=1",
        "https://id.example.com?",
        "https://id.example.com#",
        "https://user@id.example.com",
        "https://id.example.com:port",
        "https://id.example.com/ x",
        " https://id.example.com",
        "https://id.example.com\n",
        "https://[::1",
    ],
)
def test_another_issuer_is_refused_in_a_sentence(issuer: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        parse_issuer(issuer)


def test_the_well_known_part_goes_between_host_and_path() -> None:
    assert metadata_url("https://a.example/x/y") == "https://a.example/.well-known/oauth-authorization-server/x/y"
    assert metadata_url("https://a.example/") == "https://a.example/.well-known/oauth-authorization-server"
    assert metadata_url("http://localhost:8700") == "http://localhost:8700/.well-known/oauth-authorization-server"


def test_metadata_leads_to_keys_and_introspection_on_the_issuers_own_origin() -> None:
    document = {"issuer": ISSUER, "jwks_uri": "https://id.example.com:443/jwks", "future_member": {"a": 1}}
    metadata = parse_metadata(json.dumps(document).encode(), issuer=ISSUER)
    assert metadata.jwks_uri == "https://id.example.com:443/jwks"
    assert metadata.introspection_endpoint is None
    document["introspection_endpoint"] = "https://id.example.com/introspect"
    assert parse_metadata(json.dumps(document).encode(), issuer=ISSUER).introspection_endpoint is not None


def test_metadata_leads_to_the_revocation_feed_on_the_issuers_own_origin() -> None:
    document = {"issuer": ISSUER, "jwks_uri": "https://id.example.com/jwks"}
    assert parse_metadata(json.dumps(document).encode(), issuer=ISSUER).revocation_endpoint is None
    document["sealring_revocation_endpoint"] = "https://id.example.com/revocations"
    document["sealring_revocation_jwks_uri"] = "https://id.example.com/revocations/jwks"
    metadata = parse_metadata(json.dumps(document).encode(), issuer=ISSUER)
    assert metadata.revocation_endpoint == "https://id.example.com/revocations"
    assert metadata.revocation_jwks_uri == "https://id.example.com/revocations/jwks"


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": ISSUER + "/"},
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": 1},
        {"jwks_uri": "/jwks"},
        {"jwks_uri": "https://evil.example/jwks"},
        {"jwks_uri": "https://id.example.com.evil.example/jwks"},
        {"jwks_uri": "https://id.example.com@evil.example/jwks"},
        {"jwks_uri": "http://id.example.com/jwks"},
        {"jwks_uri": "https://id.example.com:8443/jwks"},
        {"jwks_uri": "https://id.example.com:x/jwks"},
        {"introspection_endpoint": "https://evil.example/introspect"},
        {"introspection_endpoint": 1},
        {"sealring_revocation_endpoint": "https://evil.example/revocations"},
        {"sealring_revocation_endpoint": 1},
        {"sealring_revocation_jwks_uri": "https://evil.example/revocations/jwks"},
    ],
)
def test_metadata_that_leads_elsewhere_is_refused(change: dict[str, object]) -> None:
    document = {"issuer": ISSUER, "jwks_uri": "https://id.example.com/jwks", **change}
    with pytest.raises(ValueError, match=r"metadata|[Pp]ort"):
        parse_metadata(json.dumps(document).encode(), issuer=ISSUER)


@pytest.mark.parametrize("document", [b"", b"[]", b"<html>", b'{"issuer":"a","issuer":"b"}'])
def test_metadata_that_is_no_object_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|twice"):
        parse_metadata(document, issuer=ISSUER)


def test_metadata_leads_to_the_token_endpoint_on_the_issuers_own_origin() -> None:
    document = {"issuer": ISSUER, "jwks_uri": "https://id.example.com/jwks"}
    assert parse_metadata(json.dumps(document).encode(), issuer=ISSUER).token_endpoint is None
    document["token_endpoint"] = "https://id.example.com/auth/token"
    assert parse_metadata(json.dumps(document).encode(), issuer=ISSUER).token_endpoint == document["token_endpoint"]
    document["token_endpoint"] = "https://evil.example/token"
    with pytest.raises(ValueError, match="another origin"):
        parse_metadata(json.dumps(document).encode(), issuer=ISSUER)


def test_another_issuers_metadata_lies_where_its_discovery_says() -> None:
    assert openid_configuration_url("https://a.example/x") == "https://a.example/x/.well-known/openid-configuration"
    assert openid_configuration_url("https://a.example/") == "https://a.example/.well-known/openid-configuration"
    discovery = Discovery(url="https://b.example/here")
    assert metadata_url("https://a.example", discovery) == "https://b.example/here"
    assert known_metadata(discovery) is known_metadata(None) is None
    known = known_metadata(Discovery(jwks_uri="https://b.example/keys"))
    assert known == IssuerMetadata(jwks_uri="https://b.example/keys", introspection_endpoint=None)


@pytest.mark.parametrize(
    ("jwks_uri", "passes"),
    [
        ("https://b.example/keys", True),
        ("https://b.example:443/keys", True),
        ("https://keys.example/keys", True),
        ("https://id.example.com/keys", False),  # the issuer's own host is not where its metadata lies
        ("https://keys.example.evil.example/keys", False),
        ("https://keys.example:8443/keys", False),
        ("http://b.example/keys", False),
        ("https://b.example@evil.example/keys", False),
    ],
)
def test_another_issuers_metadata_sends_for_keys_to_its_own_origin_and_the_named_ones(
    jwks_uri: str, *, passes: bool
) -> None:
    discovery = Discovery(url="https://b.example/here", key_origins=frozenset({"https://keys.example"}))
    document = json.dumps({"issuer": ISSUER, "jwks_uri": jwks_uri}).encode()
    if passes:
        assert parse_metadata(document, issuer=ISSUER, discovery=discovery).jwks_uri == jwks_uri
    else:
        with pytest.raises(ValueError, match="another origin"):
            parse_metadata(document, issuer=ISSUER, discovery=discovery)


def test_another_issuers_endpoints_may_lie_elsewhere_and_then_no_secret_goes_there() -> None:
    discovery = Discovery(url="https://b.example/here")
    document = {
        "issuer": ISSUER,
        "jwks_uri": "https://b.example/keys",
        "introspection_endpoint": "https://b.example/introspect",
        "token_endpoint": "https://c.example/token",
        "sealring_revocation_endpoint": "https://c.example/revocations",
    }
    metadata = parse_metadata(json.dumps(document).encode(), issuer=ISSUER, discovery=discovery)
    assert metadata.introspection_endpoint == "https://b.example/introspect"
    assert (metadata.token_endpoint, metadata.revocation_endpoint) == (None, None)
    document["introspection_endpoint"] = "https://c.example/introspect"
    metadata = parse_metadata(json.dumps(document).encode(), issuer=ISSUER, discovery=discovery)
    assert metadata.introspection_endpoint is None
