import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.client import Client, Gate
from sealring.protocol.errors import OAuthError
from sealring.protocol.gate_registration import (
    GateChange,
    GateRegistration,
    gate_client_id,
    gate_login_scope,
    is_gate_host,
    parse_gate_change,
    parse_gate_registration,
)

KNOWN = {"orders": frozenset({"orders:read", "orders:write"}), "bills": frozenset({"bills:read"})}


def registered(**members: object) -> Client:
    request = msgspec.convert({"host": "app.example.com", **members}, GateRegistration)
    client = parse_gate_registration(request, known=KNOWN, now=5000)
    assert isinstance(client, Client)
    return client


def refused(**members: object) -> str:
    request = msgspec.convert({"host": "app.example.com", **members}, GateRegistration)
    outcome = parse_gate_registration(request, known=KNOWN, now=5000)
    assert isinstance(outcome, OAuthError)
    return outcome.code


def test_a_gate_is_a_client_whose_only_callback_is_at_its_host_and_that_asks_nobody() -> None:
    client = registered(host="app.example.com:8443", api="orders", scopes=["orders:read"])
    assert client.client_id == "gate~app.example.com~8443"
    assert client.gate == Gate(host="app.example.com:8443", api="orders")
    assert client.code_flow is not None
    assert client.code_flow.redirect_uris == ("https://app.example.com:8443/.sealring/callback",)
    assert client.code_flow.consent == "skip"
    assert client.code_flow.require_pkce
    assert gate_login_scope(client) == "openid orders:read"
    assert gate_login_scope(registered()) == "openid"


@pytest.mark.parametrize(
    "host",
    [
        *("", "App.example", "app.example:443", "app.example:0", "app.example:70000", "[::1]", "a..b", "-a", "a."),
        *("a/b", "user@a", "a b", "a~b", "ä.example", "a" * 201, "a\n", "https://a", "a:", "a:1:2"),
    ],
)
def test_what_no_browser_calls_a_host_is_refused(host: str) -> None:
    assert not is_gate_host(host)
    assert refused(host=host) == "invalid_registration"


@given(st.from_regex(r"[a-z0-9.:-]{1,30}", fullmatch=True), st.from_regex(r"[a-z0-9.:-]{1,30}", fullmatch=True))
def test_two_hosts_never_share_a_client(first: str, second: str) -> None:
    if is_gate_host(first) and is_gate_host(second):
        assert (gate_client_id(first) == gate_client_id(second)) == (first == second)


def test_scopes_are_those_of_the_gates_own_api() -> None:
    assert refused(api="parcels") == "unknown_api"
    assert refused(api="orders", scopes=["bills:read"]) == "invalid_registration"
    assert refused(scopes=["orders:read"]) == "invalid_registration"
    assert refused(name="") == "invalid_registration"


def test_a_change_leaves_what_it_does_not_name() -> None:
    client = registered(api="orders", scopes=["orders:read"], name="Orders")
    renamed = parse_gate_change(client, GateChange(host="app.example.com", name="Shop"), known=KNOWN)
    assert renamed == msgspec.structs.replace(client, name="Shop")
    moved = parse_gate_change(client, GateChange(host="app.example.com", api="bills"), known=KNOWN)
    assert isinstance(moved, OAuthError)  # its scopes are none of that API
    moved = parse_gate_change(client, GateChange(host="app.example.com", api="bills", scopes=()), known=KNOWN)
    assert isinstance(moved, Client)
    assert (moved.gate, moved.allowed) == (Gate(host="app.example.com", api="bills"), {})
    other = msgspec.structs.replace(client, gate=None)
    assert isinstance(parse_gate_change(other, GateChange(host="app.example.com"), known=KNOWN), OAuthError)
