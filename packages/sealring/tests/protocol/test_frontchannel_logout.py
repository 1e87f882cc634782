from urllib.parse import parse_qs, urlsplit

import pytest

from sealring.protocol.frontchannel_logout import frame_source, frontchannel_address, frontchannel_uri_problem

URI = "https://shop.example/callback"


@pytest.mark.parametrize(
    "uri",
    [
        "https://shop.example/bye",
        "https://shop.example/bye?a=b",
        "https://shop.example:443/bye",
        "https://shop.example",
    ],
)
def test_a_page_at_the_origin_of_a_redirect_uri_may_be_registered(uri: str) -> None:
    assert frontchannel_uri_problem(uri, redirect_uris=("com.example.app:/x", URI)) is None


@pytest.mark.parametrize(
    "uri",
    [
        "http://shop.example/bye",
        "https://shop.example:8443/bye",
        "https://bye.shop.example/",
        "https://evil.example/bye",
        "https://shop.example@evil.example/",
        "https://shop.example/#part",
        "https://shop.example/\\",
        "https://shop.example/;frame-src *",
        "javascript:alert(1)",
        "com.example.app:/bye",
        "",
    ],
)
def test_any_other_page_is_refused_in_a_sentence(uri: str) -> None:
    problem = frontchannel_uri_problem(uri, redirect_uris=(URI, "com.example.app:/x"))
    assert problem is not None
    assert problem.endswith(".")


@pytest.mark.parametrize("uri", ["https://shop.example/bye", "https://shop.example/bye?a=b&c"])
def test_a_frame_is_told_issuer_and_session(uri: str) -> None:
    address = frontchannel_address(uri, issuer="https://id.example/a", sid="s&1")
    assert address.startswith(uri)
    told = parse_qs(urlsplit(address).query)
    assert (told["iss"], told["sid"]) == (["https://id.example/a"], ["s&1"])


def test_the_source_of_a_frame_is_its_origin() -> None:
    assert frame_source("https://shop.example:443/x?y") == "https://shop.example"
    assert frame_source("http://127.0.0.1:8080/x") == "http://127.0.0.1:8080"
