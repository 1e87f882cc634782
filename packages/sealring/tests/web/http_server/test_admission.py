from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from sealring.web.http_server.admission import Admission, ConnectionLimits


def admission(connections: int, *, per_network: int = 2, proxies: tuple[str, ...] = ()) -> Admission:
    limits = ConnectionLimits(
        connections_per_network=per_network, trusted_proxies=tuple(ip_network(proxy) for proxy in proxies)
    )
    return Admission(limits, connections=connections)


def test_one_network_may_take_what_it_likes_while_there_is_room() -> None:
    door = admission(12)
    assert [door.admit("192.0.2.1") for _ in range(9)] == [True] * 9


def test_near_the_bound_a_network_keeps_to_its_share_and_others_come_in() -> None:
    door = admission(12)
    for _ in range(9):
        door.admit("192.0.2.1")
    assert not door.admit("192.0.2.2")
    assert door.admit("198.51.100.1")
    assert door.admit("198.51.100.2")
    assert not door.admit("198.51.100.3")


def test_an_ipv6_network_is_a_48_and_a_mapped_address_is_its_ipv4_network() -> None:
    door = admission(4, per_network=1)
    for host in ("2001:db8:1:2::1", "192.0.2.1", "10.0.0.1"):
        assert door.admit(host)
    assert not door.admit("2001:db8:1:ffff::1")
    assert not door.admit("::ffff:192.0.2.77")
    assert door.admit("2001:db8:2::1")


def test_trusted_proxies_and_unix_sockets_have_no_share() -> None:
    door = admission(8, per_network=0, proxies=("10.0.0.0/8", "2001:db8::/32"))
    hosts = ["203.0.113.5"] * 6 + ["10.1.2.3", "::ffff:10.9.9.9"]
    assert all(door.admit(host) for host in hosts)
    door.leave("10.1.2.3")
    assert door.admit(None)


def test_idle_connections_are_held_shorter_when_over_half_are_open() -> None:
    door = admission(4)
    for _ in range(2):
        door.admit("192.0.2.1")
    assert door.idle_seconds == 30
    door.admit("192.0.2.1")
    assert door.idle_seconds == 5


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["192.0.2.1", "198.51.100.1", "2001:db8::1", None]))))
def test_the_bound_holds_and_who_left_leaves_no_trace(acts: list[tuple[bool, str | None]]) -> None:
    door = admission(5)
    inside: list[str | None] = []
    for enters, host in acts:
        if enters and door.admit(host):
            inside.append(host)
        elif not enters and host in inside:
            inside.remove(host)
            door.leave(host)
        assert len(inside) <= 5
    for host in inside:
        door.leave(host)
    assert not door._per_network
    assert not door._open
