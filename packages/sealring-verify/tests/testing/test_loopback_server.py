from collections.abc import Iterator

import httpx
import pytest

from sealring_verify.testing.loopback_server import Answer, LoopbackServer, Request


def test_it_hands_over_what_was_asked_and_sends_what_is_answered() -> None:
    asked: list[Request] = []

    def respond(request: Request) -> Answer:
        asked.append(request)
        return Answer(status=201, headers={"X-Test": "yes"}, body=b"made")

    server = LoopbackServer(respond)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        answer = client.post("/a/b?c=d&e=%20", content=b"body", headers={"X-Name": "Value"})
        assert (answer.status_code, answer.headers["x-test"], answer.content) == (201, "yes", b"made")
        client.get("/")
    assert (asked[0].path, asked[0].query, asked[0].body) == ("/a/b", {"c": "d", "e": " "}, b"body")
    assert asked[0].headers["x-name"] == "Value"
    assert asked[1].body == b""
    server.stop()


def test_no_answer_closes_the_connection_and_a_body_in_parts_ends_with_it() -> None:
    def parts() -> Iterator[bytes]:
        yield b"one "
        yield b"two"

    server = LoopbackServer(lambda request: None if request.path == "/dropped" else Answer(body=parts()))
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/dropped")
        assert client.get("/").content == b"one two"
    server.stop()


def test_it_is_on_loopback_and_starts_again_on_its_port() -> None:
    server = LoopbackServer(lambda _: Answer(status=204))
    assert server._server.server_address[0] == "127.0.0.1"
    port = server.port
    server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}", trust_env=False)
    server.start()
    assert server.port == port
    assert httpx.get(f"http://127.0.0.1:{port}", trust_env=False).status_code == 204
    server.stop()
