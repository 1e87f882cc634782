"""What may go wrong between a verifier and its issuer's keys, over a real server on loopback."""

import asyncio
import contextlib
import gzip
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import KeysUnavailable, TokenRefused, Verifier, fetch
from sealring_verify.jose.jwk import generate_private_key

if TYPE_CHECKING:
    from conftest import Hand, LocalIssuer

SECONDS = 0.3
CLOSE = {"Connection": "close"}
FAULTS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "500": (500, {}, b"{}"),
    "404": (404, {}, b"{}"),
    "204": (204, {}, b""),
    "401": (401, {"WWW-Authenticate": "Basic"}, b""),
    "a page of HTML": (200, {"Content-Type": "text/html"}, b"<html>sign in to the network</html>"),
    "JSON of another form": (200, {}, b'{"keys":{}}'),
    "a member twice": (200, {}, b'{"keys":[],"keys":[]}'),
    "nested deep": (200, {}, b'{"keys":' + b"[" * 9000 + b"]" * 9000 + b"}"),
    "no UTF-8": (200, {}, b'{"keys":[],"x":"\xff"}'),
    "truncated": (200, {"Content-Length": "5000", **CLOSE}, b'{"keys":['),
    "cut off without a length": (200, {"Content-Length": "", **CLOSE}, b'{"keys":['),
    "huge": (200, {}, b" " * (256 * 1024 + 1)),
    "a length that is a lie": (200, {"Content-Length": "99999999999", **CLOSE}, b"{}"),
    "small when packed, huge when not": (200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * 10_000_000)),
    "a redirect to the same host": (302, {"Location": "/elsewhere"}, b""),
    "a redirect that repeats the method": (308, {"Location": "/elsewhere"}, b""),
}


def outcome(verifier: Verifier, token: str) -> str:
    """Verify both ways; the outcome must be one."""
    results = []
    for verify in (verifier.verify, lambda presented: asyncio.run(verifier.verify_async(presented))):
        try:
            results.append(verify(token).sub)
        except TokenRefused as refusal:
            results.append(refusal.code)
    assert results[0] == results[1]
    return results[0]


def landed(verifier: Verifier) -> None:
    deadline = time.monotonic() + 8
    while verifier._issuer_keys._flight is not None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Serve each connection by a function, and give the address."""
    listening: list[socket.socket] = []

    def serve(answer: Callable[[socket.socket], None]) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = server.accept()[0]
                    threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                connection.recv(65536)
                answer(connection)

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield serve
    for server in listening:
        server.close()


@pytest.mark.parametrize("path", ["metadata", "keys"])
@pytest.mark.parametrize("fault", FAULTS)
def test_without_keys_a_fault_is_503_and_is_over_when_it_is_over(
    issuer: "LocalIssuer", hand: "Hand", fault: str, path: str
) -> None:
    verifier = Verifier(issuer.url, "orders", monotonic=hand)
    faulty = issuer.metadata_path if path == "metadata" else "/jwks"
    issuer.faults[faulty] = lambda: FAULTS[fault]
    with pytest.raises(KeysUnavailable) as refused:
        verifier.verify(issuer.token())
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (503, "keys_unavailable", 5)
    status = verifier.status()
    assert (status.freshness, status.keys) == ("empty", ())
    assert status.last_error
    assert "/elsewhere" not in issuer.requests
    issuer.faults.clear()
    hand.now += 5
    assert outcome(verifier, issuer.token()) == "u1"
    assert verifier.status().last_error is None


@pytest.mark.parametrize("fault", FAULTS)
def test_with_keys_a_fault_is_seen_in_the_status_alone_for_an_hour(
    issuer: "LocalIssuer", hand: "Hand", fault: str
) -> None:
    verifier = Verifier(issuer.url, "orders", monotonic=hand)
    assert outcome(verifier, issuer.token()) == "u1"
    issuer.faults["/jwks"] = lambda: FAULTS[fault]
    hand.now += 300 + 3599
    assert outcome(verifier, issuer.token(jti="j2")) == "u1"
    landed(verifier)
    status = verifier.status()
    assert (status.freshness, status.keys, status.keys_age_seconds) == ("stale", ("k1",), 3899)
    assert status.last_error
    hand.now += 1
    assert verifier.status().freshness == "expired"
    assert outcome(verifier, issuer.token()) == "keys_unavailable"


def test_a_redirect_to_another_host_is_not_followed(issuer: "LocalIssuer", issuer_with_path: "LocalIssuer") -> None:
    other = issuer_with_path
    issuer.faults["/jwks"] = lambda: (302, {"Location": f"{other.url}/jwks"}, b"")
    assert outcome(Verifier(issuer.url, "orders"), issuer.token()) == "keys_unavailable"
    issuer.faults[issuer.metadata_path] = lambda: (301, {"Location": f"{other.url}/"}, b"")
    assert outcome(Verifier(issuer.url, "orders"), issuer.token()) == "keys_unavailable"
    assert other.requests == []


def test_metadata_that_sends_to_another_host_for_keys_is_refused(
    issuer: "LocalIssuer", issuer_with_path: "LocalIssuer"
) -> None:
    other = issuer_with_path
    for jwks_uri in (f"{other.url}/jwks", f"http://localhost:{issuer.port}/jwks", "file:///etc/passwd", "/jwks"):
        issuer.metadata["jwks_uri"] = jwks_uri
        assert outcome(Verifier(issuer.url, "orders"), issuer.token()) == "keys_unavailable"
    assert other.requests == []
    assert "/jwks" not in issuer.requests


def _drip_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.02)


def _drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


def _drip_without_length(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


def _say_nothing(_: socket.socket) -> None:
    time.sleep(5)


def _hang_up(_: socket.socket) -> None:
    return


def _speak_no_http(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n" * 50)


def _send_endless_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"x" * 4000 + b"\r\n")


def _send_without_end(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        _drip_headers,
        _drip_body,
        _drip_without_length,
        _say_nothing,
        _hang_up,
        _speak_no_http,
        _send_endless_headers,
        _send_without_end,
    ],
)
def test_a_server_that_never_ends_is_given_up_in_time(
    raw_server: Callable[[Callable[[socket.socket], None]], str],
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[socket.socket], None],
) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", SECONDS)
    verifier = Verifier(raw_server(answer), "orders")
    with pytest.raises(KeysUnavailable):
        verifier.verify("a.b.c")
    # The flight itself has landed, not only whoever waited for it: nothing is left that reads on.
    assert verifier._issuer_keys._flight is None
    assert verifier.status().last_error


def test_a_slow_issuer_delays_nobody_who_has_keys(
    issuer: "LocalIssuer", hand: "Hand", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 2 * SECONDS)
    verifier = Verifier(issuer.url, "orders", monotonic=hand)
    assert outcome(verifier, issuer.token()) == "u1"
    release = threading.Event()
    issuer.faults["/jwks"] = lambda: (release.wait(3) and (500, {}, b"")) or (500, {}, b"")
    hand.now += 1000
    for number in range(20):
        assert outcome(verifier, issuer.token(jti=str(number))) == "u1"
    assert verifier._issuer_keys._flight is not None
    release.set()
    landed(verifier)


def test_keys_that_rotate_in_mid_flight_are_found_after_the_pause(issuer: "LocalIssuer", hand: "Hand") -> None:
    verifier = Verifier(issuer.url, "orders", monotonic=hand)

    def rotating() -> tuple[int, dict[str, str], bytes]:
        del issuer.faults["/jwks"]
        answer = issuer.reply("/jwks", None, b"")
        issuer.rotate_key("k2")
        return answer

    issuer.faults["/jwks"] = rotating
    # The set that came is the old one; a token of the new key waits for the pause to end, and then passes.
    assert outcome(verifier, issuer.token(key=issuer.published[0])) == "u1"
    assert outcome(verifier, issuer.token()) == "unknown_key"
    hand.now += 10
    assert outcome(verifier, issuer.token()) == "u1"
    assert verifier.status().keys == ("k1", "k2")
    assert issuer.requests.count("/jwks") == 2


def test_a_key_that_is_withdrawn_ends_its_tokens_with_the_next_set(issuer: "LocalIssuer", hand: "Hand") -> None:
    verifier = Verifier(issuer.url, "orders", monotonic=hand)
    old = issuer.token()
    assert outcome(verifier, old) == "u1"
    issuer.rotate_key("k2")
    issuer.published = issuer.published[1:]
    hand.now += 240
    verifier.verify(old)  # remembered, and the set is looked at ahead of time
    landed(verifier)
    assert outcome(verifier, old) == "unknown_key"
    assert outcome(verifier, issuer.token()) == "u1"


def test_a_set_without_a_usable_key_is_a_set(issuer: "LocalIssuer") -> None:
    document = json.dumps({"keys": [{"kty": "AKP", "kid": "new"}, {**issuer.key.public_jwk(), "use": "enc"}]})
    issuer.faults["/jwks"] = lambda: (200, {}, document.encode())
    verifier = Verifier(issuer.url, "orders")
    assert outcome(verifier, issuer.token()) == "unknown_key"
    assert len(verifier.status().skipped_keys) == 2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Cache-Control": "max-age=600"}, 600),
        ({"Cache-Control": "max-age=600", "Age": "400"}, 200),
        ({"Cache-Control": "no-store"}, 30),
        ({"Cache-Control": "max-age=0"}, 30),
        ({"Cache-Control": "max-age=86400"}, 3600),
        ({"Expires": "in ten minutes"}, 600),
        ({}, 300),
    ],
)
def test_what_http_says_of_freshness_is_honoured_within_bounds(
    issuer: "LocalIssuer", hand: "Hand", headers: dict[str, str], seconds: int
) -> None:
    document = json.dumps({"keys": [issuer.key.public_jwk()]}).encode()
    if "Expires" in headers:  # the server itself sends its Date
        headers = {"Expires": formatdate(time.time() + 600, usegmt=True)}
    issuer.faults["/jwks"] = lambda: (200, headers, document)
    verifier = Verifier(issuer.url, "orders", monotonic=hand)
    verifier.verify(issuer.token())
    hand.now += 0.8 * seconds - 1
    verifier.verify(issuer.token())
    landed(verifier)
    assert issuer.requests.count("/jwks") == 1
    hand.now += 1
    verifier.verify(issuer.token())
    landed(verifier)
    assert issuer.requests.count("/jwks") == 2


def test_a_thousand_strange_ids_from_many_threads_cost_one_fetch(issuer: "LocalIssuer", hand: "Hand") -> None:
    verifier = Verifier(issuer.url, "orders", monotonic=hand)
    verifier.verify(issuer.token())
    hand.now += 10
    tokens = [issuer.token(key=generate_private_key("ES256", kid=f"strange-{number}")) for number in range(40)]
    codes: list[str] = []

    def work() -> None:
        for token in tokens * 3:
            try:
                verifier.verify(token)
            except TokenRefused as refusal:
                codes.append(refusal.code)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["unknown_key"] * 960
    assert issuer.requests.count("/jwks") == 2


async def test_fifty_coroutines_without_keys_make_one_flight_and_the_loop_goes_on(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders")
    issuer.delay_once(issuer.metadata_path, 0.3)
    token = issuer.token()
    waiting = [asyncio.create_task(verifier.verify_async(token)) for _ in range(50)]
    turns = 0
    while not all(task.done() for task in waiting):
        await asyncio.sleep(0.005)
        turns += 1
    assert {task.result().sub for task in waiting} == {"u1"}
    assert issuer.requests.count("/jwks") == 1
    assert turns > 10  # a loop that is held turns once


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # forking so is the point
@pytest.mark.parametrize("when", ["before the first use", "after it"])
def test_workers_that_were_forked_verify(issuer: "LocalIssuer", when: str) -> None:
    verifier = Verifier(issuer.url, "orders")
    token = issuer.token()
    if when == "after it":
        verifier.verify(token)
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if verifier.verify(token).sub == "u1" else 2
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]


def test_the_status_holds_no_token_and_nothing_of_a_document(issuer: "LocalIssuer") -> None:
    issuer.faults["/jwks"] = lambda: (200, {}, b'{"keys": "very-secret-text"}')
    verifier = Verifier(issuer.url, "orders")
    token: Any = issuer.token()
    assert outcome(verifier, token) == "keys_unavailable"
    assert "very-secret-text" not in repr(verifier.status())
    assert token[:30] not in repr(verifier.status())
