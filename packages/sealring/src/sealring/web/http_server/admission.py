"""Who may hold a connection, and for how long: the limits of one listener and its count of sockets per network."""

from collections import Counter
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

import msgspec


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one listener. Seconds are elapsed time, judged once per `sweep_seconds`, never earlier.

    `connections`: open sockets in all. `connections_per_network`: sockets of one IPv4 /24 or IPv6 /48, enforced while
    three quarters of `connections` are taken; `trusted_proxies` are exempt, since everybody arrives through them.
    `head_seconds`: from the connection, or from a later request's first byte, to the end of its head.
    `body_seconds`: from the end of the head to the end of the body. `idle_seconds`: between two requests;
    `busy_idle_seconds` while more than half of `connections` are open. `write_seconds`: how long a client may leave
    bytes of an answer untaken. `linger_seconds`: how long input is read and discarded after a last answer, because a
    close with unread input resets the connection and the client loses that answer.
    `head_bytes`: request line and headers. `body_bytes`: the body, whatever the application reads.
    `pipelined_requests`: requests that may wait behind the one being answered.
    """

    connections: int = 4096
    connections_per_network: int = 256
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    head_seconds: float = 10
    body_seconds: float = 10
    idle_seconds: float = 30
    busy_idle_seconds: float = 5
    write_seconds: float = 30
    linger_seconds: float = 2
    sweep_seconds: float = 1
    head_bytes: int = 16 * 1024
    body_bytes: int = 64 * 1024
    pipelined_requests: int = 16


class Admission:
    """Count the sockets of a listener, in all and per client network; each admitted one must leave once."""

    def __init__(self, limits: ConnectionLimits, *, connections: int) -> None:
        """`connections`: the bound in force, at most `limits.connections`, lower where descriptors are short."""
        self._limits = limits
        self._connections = connections
        self._open = 0
        self._per_network: Counter[str] = Counter()

    @property
    def idle_seconds(self) -> float:
        """How long a connection may be idle now."""
        busy = self._open > self._connections // 2
        return self._limits.busy_idle_seconds if busy else self._limits.idle_seconds

    def admit(self, host: str | None) -> bool:
        """Say whether one more socket of `host` (an IP address; None: a Unix socket) may stay, and count it if so."""
        network = _network(host)
        if self._open >= self._connections:
            return False
        scarce = self._open >= self._connections * 3 // 4
        taken = self._per_network[network]
        if scarce and network and taken >= self._limits.connections_per_network and not self._is_trusted(host):
            return False
        self._open += 1
        self._per_network[network] = taken + 1
        return True

    def leave(self, host: str | None) -> None:
        """Give back what `admit` counted for `host`."""
        network = _network(host)
        self._open -= 1
        self._per_network[network] -= 1
        if not self._per_network[network]:
            del self._per_network[network]

    def _is_trusted(self, host: str | None) -> bool:
        if not host or not self._limits.trusted_proxies:
            return False
        address = ip_address(host)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._limits.trusted_proxies)


def _network(host: str | None) -> str:
    if host is None:
        return ""
    if ":" not in host:
        return host.rpartition(".")[0]
    address = IPv6Address(host)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped).rpartition(".")[0]
    return address.packed[:6].hex()
