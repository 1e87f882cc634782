from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.browser.forwarded import NO_ADDRESS, client_address, is_trusted_proxy, network_of

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48"))
addresses = st.ip_addresses()
PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # a stranger's header counts nothing
        (PROXY, None, PROXY),
        (PROXY, "198.51.100.7", "198.51.100.7"),
        (PROXY, "6.6.6.6, 198.51.100.7", "198.51.100.7"),
        (PROXY, "6.6.6.6, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        (PROXY, "6.6.6.6,198.51.100.7\t,  10.0.0.2", "198.51.100.7"),
        (PROXY, "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (PROXY, "198.51.100.7, garbage", PROXY),
        (PROXY, "garbage, 198.51.100.7", "198.51.100.7"),  # what stands left of the client is never read
        (PROXY, "", PROXY),
        (PROXY, "198.51.100.7,", PROXY),
        (PROXY, "unknown", PROXY),
        (PROXY, "198.51.100.007", PROXY),
        (PROXY, "198.51.100.7:51234", "198.51.100.7"),
        (PROXY, "[2001:db8::7]:51234", "2001:db8::7"),
        (PROXY, "[2001:db8::7]", "2001:db8::7"),
        (PROXY, "2001:db8::7", "2001:db8::7"),
        (PROXY, "fe80::1%\x1b[31m", PROXY),  # a zone is free text
        (PROXY, "::ffff:198.51.100.7", "198.51.100.7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("2001:db8:ffff::1", "198.51.100.7", "198.51.100.7"),
        ("fe80::1%eth0", None, "fe80::1"),
        (None, "198.51.100.7", "::"),
        ("", "198.51.100.7", "::"),
        ("testclient", None, "::"),
    ],
)
def test_the_client_is_the_rightmost_address_that_is_no_proxy(
    peer: str | None, forwarded_for: str | None, client: str
) -> None:
    assert client_address(peer, forwarded_for, trusted_proxies=PROXIES) == ip_address(client)


def test_a_socket_without_addresses_is_trusted_by_name() -> None:
    trusted = (ip_network("::/128"),)
    assert client_address(None, "198.51.100.7", trusted_proxies=trusted) == ip_address("198.51.100.7")


def test_a_chain_of_a_thousand_proxies_proves_nothing() -> None:
    header = ", ".join(["198.51.100.7"] + ["10.0.0.2"] * 1000)
    assert client_address(PROXY, header, trusted_proxies=PROXIES) == ip_address(PROXY)
    header = ", ".join(["198.51.100.7"] + ["10.0.0.2"] * 31)
    assert client_address(PROXY, header, trusted_proxies=PROXIES) == ip_address("198.51.100.7")


@given(peer=addresses.map(str) | st.none() | st.text(max_size=20), forwarded_for=st.none() | st.text(max_size=60))
def test_any_header_gives_an_address(peer: str | None, forwarded_for: str | None) -> None:
    client = client_address(peer, forwarded_for, trusted_proxies=PROXIES)
    assert "%" not in str(client)
    assert not (isinstance(client, IPv6Address) and client.ipv4_mapped)


@given(spoofed=st.text(max_size=40), client=addresses, proxies=st.lists(st.sampled_from(["10.0.0.2", "10.9.9.9"])))
def test_nothing_that_a_client_writes_changes_its_address(
    spoofed: str, client: IPv4Address | IPv6Address, proxies: list[str]
) -> None:
    honest = client_address(PROXY, ", ".join([str(client), *proxies[:20]]), trusted_proxies=PROXIES)
    header = ", ".join([spoofed, str(client), *proxies[:20]])
    if not any(client in network for network in PROXIES):
        assert client_address(PROXY, header, trusted_proxies=PROXIES) == honest


@given(peer=addresses, forwarded_for=st.text(max_size=40))
def test_without_trusted_proxies_the_header_is_not_read(peer: IPv4Address | IPv6Address, forwarded_for: str) -> None:
    expected = client_address(str(peer), None, trusted_proxies=())
    assert client_address(str(peer), forwarded_for, trusted_proxies=()) == expected


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("255.255.255.255", "255.255.255.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::1", "::/48"),
    ],
)
def test_a_network_is_24_bits_or_48(address: str, network: str) -> None:
    assert network_of(ip_address(address)) == network


@given(address=addresses)
def test_an_address_lies_in_its_network(address: IPv4Address | IPv6Address) -> None:
    if not (isinstance(address, IPv6Address) and address.ipv4_mapped):
        assert address in ip_network(network_of(address))
    assert network_of(NO_ADDRESS) == "::/48"


def test_a_proxy_is_trusted_by_the_address_of_its_connection() -> None:
    proxies = (ip_network("10.0.0.0/8"), ip_network("::/128"))
    assert is_trusted_proxy("10.1.2.3", proxies)
    assert is_trusted_proxy("::ffff:10.1.2.3", proxies)
    assert is_trusted_proxy(None, proxies)  # a Unix socket, which is named so
    assert not is_trusted_proxy("192.0.2.1", proxies)
    assert not is_trusted_proxy("10.1.2.3", ())
