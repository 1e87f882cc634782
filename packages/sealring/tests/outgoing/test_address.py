from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.outgoing.address import is_public, may_be_allowed

PRIVATE_IPV4 = ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"]  # noqa: S104 -- an address to refuse
SPECIAL_IPV4 = ["192.0.0.9", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "224.0.0.1", "240.0.0.1"]


def wrapped(address: str) -> list[str]:
    """Spell an IPv4 address in each form of IPv6 that leads to it."""
    octets = IPv4Address(address).packed
    tail = bytes(10) + b"\xff\xff" + octets
    six_to_four = b"\x20\x02" + octets + bytes(10)
    nat64 = b"\x00\x64\xff\x9b" + bytes(8) + octets
    compatible = bytes(12) + octets
    inverted = bytes(octet ^ 0xFF for octet in octets)
    teredo = b"\x20\x01\x00\x00" + b"\x08\x08\x08\x08" + bytes(4) + inverted
    teredo_server = b"\x20\x01\x00\x00" + octets + bytes(4) + bytes(octet ^ 0xFF for octet in b"\x08\x08\x08\x08")
    return [str(IPv6Address(packed)) for packed in (tail, six_to_four, nat64, compatible, teredo, teredo_server)]


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1", *wrapped("9.9.9.9")]
)
def test_public_addresses_may_be_called(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", [*PRIVATE_IPV4, *SPECIAL_IPV4, "255.255.255.255", "192.88.99.1"])
def test_no_other_ipv4_address_may_be_called_however_it_is_wrapped(address: str) -> None:
    assert not is_public(ip_address(address))
    for form in wrapped(address):
        assert not is_public(ip_address(form)), form


NOT_GLOBAL_UNICAST = """
    :: ::1 ::2 fe80::1 fe80::1%eth0 fc00::1 fd12::1 fec0::1 ff02::1 ff0e::1 100::1
    2001:2::1 2001:10::1 2001:db8::1 3fff::1 4000::1 5f00::1 64:ff9b:1::a00:1
"""


@pytest.mark.parametrize("address", NOT_GLOBAL_UNICAST.split())
def test_no_ipv6_address_but_global_unicast_may_be_called(address: str) -> None:
    assert not is_public(ip_address(address))


@given(st.ip_addresses(v=6))
def test_what_may_be_called_of_ipv6_is_global_unicast_or_leads_to_public_ipv4(address: IPv6Address) -> None:
    if is_public(address):
        assert (
            address.packed[0] >> 5 == 1
            or address.packed[:12] in (bytes(12), bytes(10) + b"\xff\xff")
            or address.packed[:4] == b"\x00\x64\xff\x9b"
        )


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.0.0.1", "100.64.0.1", "fd00::1", "1.1.1.1", "::ffff:10.0.0.1"]
)
def test_an_allow_list_may_lead_to_this_machine_and_to_private_networks(address: str) -> None:
    assert may_be_allowed(ip_address(address))


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "224.0.0.1", "::ffff:0:0", "::", "240.0.0.1"]
)
def test_an_allow_list_never_leads_to_link_local_or_to_many(address: str) -> None:
    assert not may_be_allowed(ip_address(address))
