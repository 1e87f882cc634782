"""Which addresses may be called: those of the public Internet, whatever they are wrapped in. Pure."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE: Final = IPv6Network("::/96")
# What `ipaddress` took for global in some version of Python: IANA's special-purpose registries do not.
_SPECIAL_IPV4: Final = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))
_SPECIAL_IPV6: Final = (
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("3fff::/20"),
)


def is_public(address: Address) -> bool:
    """Say whether an address, and each one inside it, is global unicast (SECURITY E8)."""
    inside = _unpacked(address)
    return all(map(is_public, inside)) if inside else _is_global_unicast(address)


def may_be_allowed(address: Address) -> bool:
    """Say whether an operator's allow-list may lead there: to this machine, a private network, or the public one.

    Never to link-local addresses, where clouds keep their machines' credentials, and never to many at once.
    """
    inside = _unpacked(address)
    if inside:
        return all(map(may_be_allowed, inside))
    if isinstance(address, IPv4Address) and address.is_reserved:
        return False
    return not (address.is_link_local or address.is_multicast or address.is_unspecified)


def _is_global_unicast(address: Address) -> bool:
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_IPV4)
    return address in _GLOBAL_UNICAST and not any(address in network for network in _SPECIAL_IPV6)


def _unpacked(address: Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses to which an IPv6 address leads in truth."""
    if isinstance(address, IPv4Address) or address.is_loopback or address.is_unspecified:
        return ()
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        return (IPv4Address(address.packed[-4:]),)
    return ()
