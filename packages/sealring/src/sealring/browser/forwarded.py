"""The client's address behind proxies, and the network that it counts as (SECURITY D6, F3).

`X-Forwarded-For` is what anybody wrote, up to the last proxy of our own: it counts only from configured proxies, and
is read from the right.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NO_ADDRESS: Final = IPv6Address("::")
"""What a peer without an address (a Unix socket) counts as; its proxy is trusted by naming `::/128`."""

_WITH_PORT: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?")
_MOST_HOPS: Final = 32  # a longer chain is nobody's set-up


def client_address(peer: str | None, forwarded_for: str | None, *, trusted_proxies: Sequence[Network]) -> Address:
    """Say who sent a request: the rightmost address of peer and `X-Forwarded-For` that is no proxy of ours.

    `forwarded_for`: the header, several joined by commas in their order. Where all are proxies, the leftmost: a
    proxy's own request. Where anything on the way is no address, or the chain is over 32 long, the peer: a header
    that our proxies did not write whole proves nothing. IPv4-mapped addresses come out as IPv4.
    """
    sender = _parse_peer(peer)
    if forwarded_for is None or not _is_trusted(sender, trusted_proxies):
        return sender
    hops = forwarded_for.rsplit(",", _MOST_HOPS - 1)
    client = sender
    for hop in reversed(hops):
        address = _parse_hop(hop.strip(" \t"))
        if address is None:
            return sender
        client = address
        if not _is_trusted(client, trusted_proxies):
            return client
    return client


def is_trusted_proxy(peer: str | None, trusted_proxies: Sequence[Network]) -> bool:
    """Say whether whoever opened the connection is a proxy of ours."""
    return _is_trusted(_parse_peer(peer), trusted_proxies)


@lru_cache(maxsize=1024)
def network_of(address: Address) -> str:
    """Give the network that an address counts as for limits and for repeats: its /24, or its /48 for IPv6, as text."""
    address = _unmapped(address)
    if isinstance(address, IPv4Address):
        return f"{IPv4Address(int(address) & 0xFFFFFF00)}/24"
    return f"{IPv6Address(int(address) >> 80 << 80)}/48"


def _is_trusted(address: Address, trusted_proxies: Sequence[Network]) -> bool:
    return any(address in network for network in trusted_proxies)


@lru_cache(maxsize=1024)
def _parse_peer(peer: str | None) -> Address:
    # The kernel names the zone of a link-local peer (fe80::1%eth0); it says nothing about who that is.
    return _parse_address((peer or "").partition("%")[0]) or NO_ADDRESS


def _parse_hop(hop: str) -> Address | None:
    with_port = _WITH_PORT.fullmatch(hop)  # some proxies append the port: 192.0.2.1:443, [2001:db8::1]:443
    return _parse_address(with_port[1] or with_port[2] if with_port else hop)


def _parse_address(text: str) -> Address | None:
    # A zone is free text to ipaddress: taken from a header, it would carry that text into logs and keys.
    if "%" in text:
        return None
    try:
        return _unmapped(ip_address(text))
    except ValueError:
        return None


def _unmapped(address: Address) -> Address:
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
