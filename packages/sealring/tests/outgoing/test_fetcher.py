import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from sealring.outgoing.fetcher import GuardedFetcher, OutgoingPolicy, TrustProblem, load_trust
from sealring.ports import OutgoingAnswer, OutgoingFailed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Neighbour(SimpleNamespace):
    """A TLS server of a test. `asked`: the requests that reached it; `names`: what clients asked for by SNI."""

    port: int
    asked: list[bytes]
    names: list[str | None]

    @property
    def authority(self) -> str:
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self.authority}/keys"


Answering = Callable[[asyncio.StreamWriter], Awaitable[None]]
StartNeighbour = Callable[..., Awaitable[Neighbour]]


def saying(*pieces: bytes, pause: float = 0) -> Answering:
    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


@pytest.fixture
async def neighbour(authority: Any) -> AsyncIterator[StartNeighbour]:  # noqa: ANN401 -- a fixture of another file
    servers: list[asyncio.Server] = []
    under_way: set[asyncio.Task[Any]] = set()

    async def start(
        answer: Answering | None = None, *, names: tuple[str, ...] = ("localhost", "client.example"), **context: object
    ) -> Neighbour:
        started = Neighbour(asked=[], names=[])
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*authority.issue(*names))
        tls.sni_callback = lambda _socket, name, _context: started.names.append(name)  # type: ignore[assignment]  # typeshed wants int
        for name, value in context.items():
            setattr(tls, name, value)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            under_way.add(task)
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0] or 0)
                started.asked.append(head + await reader.readexactly(length))
                await (answer or saying(OK))(writer)
                await reader.read()  # the caller closes once it has what it wants
            except (OSError, EOFError):
                pass
            finally:
                writer.transport.abort()
                under_way.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        servers.append(server)
        started.port = server.sockets[0].getsockname()[1]
        return started

    yield start
    for server in servers:
        server.close()
    await asyncio.gather(*under_way)
    await asyncio.sleep(0.05)  # the loop closes what was aborted in its next rounds


Make = Callable[..., GuardedFetcher]


@pytest.fixture
def make(authority: Any) -> Make:  # noqa: ANN401 -- a fixture of another file
    """Make a fetcher that trusts the authority of this test and may call `allow`."""
    trust = load_trust(authority.file)
    assert isinstance(trust, ssl.SSLContext)

    def making(*allow: str, **policy: float) -> GuardedFetcher:
        return GuardedFetcher(trust, policy=OutgoingPolicy(allow=frozenset(allow), **policy))  # type: ignore[arg-type]  # seconds, counts

    return making


def reason_in(lines: list[Any]) -> str:
    assert [line["event"] for line in lines] == ["outgoing_call_failed"]
    return str(lines[0]["reason"])


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let DNS give these answers in turn, the last one for ever; returns the names that were asked for."""
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


async def test_a_document_is_fetched_by_name_in_tls_and_in_host(neighbour: StartNeighbour, make: Make) -> None:
    server = await neighbour()
    assert await make(server.authority).fetch(server.url + "?v=1") == OutgoingAnswer(status=200, body=b"{}")
    assert server.names == ["localhost"]
    head = server.asked[0].decode()
    assert head.startswith(f"GET /keys?v=1 HTTP/1.1\r\nHost: {server.authority}\r\n")
    assert "authorization" not in head.lower()
    assert "cookie" not in head.lower()


async def test_forms_and_json_are_posted(neighbour: StartNeighbour, make: Make) -> None:
    server = await neighbour()
    fetcher = make(server.authority)
    await fetcher.post_form(server.url, {"logout_token": "a+b c"})
    await fetcher.post_json(server.url, b'{"a":1}')
    form, document = server.asked
    assert form.startswith(b"POST /keys HTTP/1.1\r\n")
    assert b"\r\nContent-Type: application/x-www-form-urlencoded\r\n" in form
    assert form.endswith(b"\r\n\r\nlogout_token=a%2Bb+c")
    assert b"\r\nContent-Type: application/json\r\n" in document
    assert document.endswith(b'\r\n\r\n{"a":1}')


async def test_this_machine_is_not_called_unless_the_operator_allowed_it(neighbour: StartNeighbour, make: Make) -> None:
    server = await neighbour()
    for fetcher in (make(), make("localhost:1"), make(f"127.0.0.1:{server.port}")):
        with structlog.testing.capture_logs() as lines:
            assert await fetcher.fetch(server.url) == OutgoingFailed()
        assert "no address that may be called" in reason_in(lines)
    for host in ("127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):  # noqa: S104 -- an address to refuse
        assert await make(server.authority).fetch(f"https://{host}:{server.port}/") == OutgoingFailed()
    assert server.names == []


async def test_a_public_name_that_leads_to_a_private_address_is_not_called(
    neighbour: StartNeighbour, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await neighbour()
    resolve_to(monkeypatch, ["127.0.0.1", "10.0.0.1", "169.254.169.254"])
    assert await make().fetch(f"https://client.example:{server.port}/") == OutgoingFailed()
    assert server.names == []


async def test_the_connection_goes_to_the_address_that_was_judged(
    neighbour: StartNeighbour, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await neighbour()
    # A second look-up would lead away: it would be the attacker's turn.
    asked = resolve_to(monkeypatch, ["127.0.0.1"], ["192.0.2.1"])
    answer = await make(f"client.example:{server.port}").fetch(f"https://client.example:{server.port}/")
    assert isinstance(answer, OutgoingAnswer)
    assert asked == ["client.example"]
    assert server.names == ["client.example"]


async def test_an_address_that_leads_nowhere_is_not_the_last_one_tried(
    neighbour: StartNeighbour, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await neighbour()
    resolve_to(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    assert isinstance(await make(server.authority).fetch(server.url), OutgoingAnswer)


async def test_link_local_stays_out_of_reach_of_an_allow_list(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, ["169.254.169.254"])
    with structlog.testing.capture_logs() as lines:
        assert await make("metadata.internal:443").fetch("https://metadata.internal/") == OutgoingFailed()
    assert "no address that may be called" in reason_in(lines)


async def test_a_redirect_is_not_followed(neighbour: StartNeighbour, make: Make) -> None:
    beyond = await neighbour()
    location = f"Location: {beyond.url}".encode()
    server = await neighbour(saying(b"HTTP/1.1 302 Found\r\n" + location + b"\r\nContent-Length: 0\r\n\r\n"))
    answer = await make(server.authority, beyond.authority).fetch(server.url)
    assert isinstance(answer, OutgoingAnswer)
    assert answer.status == 302
    assert beyond.asked == []


async def test_proxies_of_the_environment_count_for_nothing(
    neighbour: StartNeighbour, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await neighbour()
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert isinstance(await make(server.authority).fetch(server.url), OutgoingAnswer)


async def test_a_certificate_for_another_name_is_refused(neighbour: StartNeighbour, make: Make) -> None:
    server = await neighbour(names=("other.example",))
    with structlog.testing.capture_logs() as lines:
        assert await make(server.authority).fetch(server.url) == OutgoingFailed()
    assert "certificate" in reason_in(lines).lower()
    assert server.asked == []


async def test_a_certificate_of_an_authority_that_is_not_trusted_is_refused(neighbour: StartNeighbour) -> None:
    server = await neighbour()
    trust = load_trust(None)
    assert isinstance(trust, ssl.SSLContext)
    fetcher = GuardedFetcher(trust, policy=OutgoingPolicy(allow=frozenset({server.authority})))
    assert await fetcher.fetch(server.url) == OutgoingFailed()
    assert server.asked == []


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_of_tls_are_refused(neighbour: StartNeighbour, make: Make) -> None:
    server = await neighbour(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    assert await make(server.authority).fetch(server.url) == OutgoingFailed()


async def test_plain_http_behind_an_https_address_is_refused(make: Make) -> None:
    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await make(f"localhost:{port}").fetch(f"https://localhost:{port}/") == OutgoingFailed()


async def test_a_body_that_trickles_does_not_outlast_the_time_of_the_whole_call(
    neighbour: StartNeighbour, make: Make
) -> None:
    server = await neighbour(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", *[b"x"] * 900, pause=0.05))
    began = time.monotonic()
    with structlog.testing.capture_logs() as lines:
        assert await make(server.authority, seconds=0.6).fetch(server.url) == OutgoingFailed()
    assert 0.5 < time.monotonic() - began < 3
    assert "no whole answer" in reason_in(lines)


async def test_a_handshake_that_does_not_end_is_given_up_in_the_same_time(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        authority = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        assert await make(authority, seconds=0.4).fetch(f"https://{authority}/") == OutgoingFailed()
        assert time.monotonic() - began < 3


async def test_a_large_answer_is_dropped_whatever_it_announces(neighbour: StartNeighbour, make: Make) -> None:
    server = await neighbour(saying(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 1024] * 100))
    with structlog.testing.capture_logs() as lines:
        assert await make(server.authority).fetch(server.url) == OutgoingFailed()
    assert "too large" in reason_in(lines)


async def test_one_host_has_few_calls_at_a_time_and_others_go_on(neighbour: StartNeighbour, make: Make) -> None:
    slow = await neighbour(saying(b"", OK, pause=0.4))
    quick = await neighbour()
    fetcher = make(slow.authority, quick.authority, concurrent_per_host=2)
    calls = [asyncio.create_task(fetcher.fetch(slow.url)) for _ in range(3)]
    await asyncio.sleep(0.1)
    assert isinstance(await fetcher.fetch(quick.url), OutgoingAnswer)
    answers = await asyncio.gather(*calls)
    assert [isinstance(answer, OutgoingAnswer) for answer in answers] == [True, True, False]
    assert isinstance(await fetcher.fetch(slow.url), OutgoingAnswer)


async def test_calls_in_all_are_bounded_and_wait_within_their_own_time(neighbour: StartNeighbour, make: Make) -> None:
    slow = await neighbour(saying(b"", OK, pause=0.5))
    other = await neighbour()
    fetcher = make(slow.authority, other.authority, concurrent=1, seconds=0.8)
    first = asyncio.create_task(fetcher.fetch(slow.url))
    await asyncio.sleep(0.05)
    assert isinstance(await fetcher.fetch(other.url), OutgoingAnswer)
    assert isinstance(await first, OutgoingAnswer)
    assert fetcher._per_host == {}


@pytest.mark.parametrize(
    "url", ["http://localhost/", "https://a..b/", "https://" + "a" * 70 + ".example/", "https://nowhere.invalid/", ""]
)
async def test_an_address_that_leads_nowhere_is_one_answer(make: Make, url: str) -> None:
    assert await make().fetch(url) == OutgoingFailed()


async def test_the_query_of_an_address_is_not_logged(make: Make) -> None:
    with structlog.testing.capture_logs() as lines:
        await make().fetch("https://localhost/keys?token=secret")
    assert "secret" not in str(lines)


def test_a_file_without_certificates_is_a_sentence(tmp_path: Path) -> None:
    assert isinstance(load_trust(tmp_path / "missing.pem"), TrustProblem)
    (tmp_path / "empty.pem").write_text("nothing")
    problem = load_trust(tmp_path / "empty.pem")
    assert isinstance(problem, TrustProblem)
    assert problem.sentence.endswith(".")
