import pytest

from sealring.protocol.https_target import Target, is_authority, parse_target


def test_an_address_is_taken_apart() -> None:
    target = parse_target("https://Client.Example:8443/keys/a%2Fb?v=1&w")
    assert target == Target(host="client.example", port=8443, path="/keys/a%2Fb?v=1&w")
    assert (target.authority, target.host_header) == ("client.example:8443", "client.example:8443")


def test_the_port_of_https_need_not_be_said_and_the_path_neither() -> None:
    target = parse_target("https://client.example")
    assert target == Target(host="client.example", port=443, path="/")
    assert (target.authority, target.host_header) == ("client.example:443", "client.example")


def test_an_ipv6_address_has_brackets_where_it_is_named() -> None:
    target = parse_target("https://[2606:4700::1111]:8443/")
    assert target is not None
    assert (target.host, target.authority) == ("2606:4700::1111", "[2606:4700::1111]:8443")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://client.example/",
        "ftp://client.example/",
        "//client.example/",
        "https:client.example",
        "https:///keys",
        "https://client.example/#part",
        "https://user@client.example/",
        "https://user:word@client.example/",
        "https://@client.example/",
        "https://client.example\\@other.example/",
        "https://client.example:0/",
        "https://client.example:65536/",
        "https://client.example:https/",
        "https://client.example/a b",
        "https://client.example/\r\nX: y",
        "https://client.example/\x00",
        "https://cliënt.example/",
        "https://client.example./",
        "https://.client.example/",
        "https://client.example%2fother/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://client.example/" + "a" * 2048,
    ],
)
def test_what_is_odd_in_any_way_is_no_address(url: str) -> None:
    assert parse_target(url) is None


@pytest.mark.parametrize("text", ["localhost:8443", "127.0.0.1:8443", "[::1]:8443", "clients.internal:443"])
def test_host_and_port_stand_in_an_allow_list_as_they_are_called(text: str) -> None:
    assert is_authority(text)


WIDER = """
    localhost LOCALHOST:8443 *:8443 localhost:* https://localhost:8443 localhost:8443/x ::1:8443 10.0.0.0/8:443
"""


@pytest.mark.parametrize("text", ["", *WIDER.split()])
def test_nothing_wider_stands_in_an_allow_list(text: str) -> None:
    assert not is_authority(text)
