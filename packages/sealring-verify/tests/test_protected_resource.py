import pytest

from sealring_verify.protected_resource import (
    parse_resource,
    resource_metadata,
    resource_metadata_path,
    resource_metadata_url,
)


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("https://api.example.com", "https://api.example.com/.well-known/oauth-protected-resource"),
        ("https://api.example.com/", "https://api.example.com/.well-known/oauth-protected-resource"),
        ("https://api.example.com/orders", "https://api.example.com/.well-known/oauth-protected-resource/orders"),
        ("https://a.example:8443/v1/x/", "https://a.example:8443/.well-known/oauth-protected-resource/v1/x/"),
        ("http://localhost:8702/orders", "http://localhost:8702/.well-known/oauth-protected-resource/orders"),
    ],
)
def test_the_well_known_part_goes_before_the_path(resource: str, url: str) -> None:
    assert parse_resource(resource) == resource
    assert resource_metadata_url(resource) == url
    assert url.endswith(resource_metadata_path(resource))


@pytest.mark.parametrize(
    "resource",
    [
        "orders",
        "",
        "http://api.example.com",
        "https://api.example.com/#x",
        "https://api.example.com/?x=1",
        "https://u@api.example.com/",
        'https://api.example.com/"',
        "https://api.example.com/\\",
        "https://api.example.com/a b",
        "https://api.example.com/ö",
        "https://api.example.com/%41",
        "https://api.example.com/<path:x>",
        "https://api.example.com/{x}",
    ],
)
def test_what_is_no_plain_address_is_refused(resource: str) -> None:
    with pytest.raises(ValueError, match="resource"):
        parse_resource(resource)


def test_the_document_names_issuer_and_scopes() -> None:
    made = resource_metadata("https://api.example.com", issuers=["https://id.example.com"], scopes={"b", "a"})
    assert made == {
        "resource": "https://api.example.com",
        "authorization_servers": ["https://id.example.com"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["a", "b"],
    }
    assert "scopes_supported" not in resource_metadata(
        "https://a.example", issuers=["https://id.example.com"], scopes=()
    )
