"""What the HTTP server leans on inside uvicorn. When one of these fails after an upgrade of uvicorn: read the changed
source beside `connection` and `exchange`, adapt them, then put the new digest here."""

import hashlib
import inspect

import pytest
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

DIGESTS: dict[object, str] = {
    HttpToolsProtocol.__init__: "4f08999410347141",
    HttpToolsProtocol.connection_made: "6efb565ff3d36b91",
    HttpToolsProtocol.eof_received: "5652627579a02369",
    HttpToolsProtocol.on_message_begin: "96d377fdc7c2baef",
    HttpToolsProtocol.on_url: "37be44e962b04ca8",
    HttpToolsProtocol.pause_writing: "17a8fd215d96a13c",
    HttpToolsProtocol.resume_writing: "7844bbaa8cceb1ef",
    HttpToolsProtocol._start_asgi_task: "9c08c2571ae9b038",
    RequestResponseCycle.__init__: "4d2f220910c33c12",
    RequestResponseCycle.receive: "8124ae006be71184",
    FlowControl: "126debcdaa894c83",
    ServerState: "f2260fbf10154746",
}


@pytest.mark.parametrize(("used", "digest"), list(DIGESTS.items()))
def test_the_source_that_the_server_leans_on_is_the_one_it_was_written_for(used: object, digest: str) -> None:
    assert hashlib.sha256(inspect.getsource(used).encode()).hexdigest()[:16] == digest


def test_the_constants_that_the_server_leans_on_mean_what_they_meant() -> None:
    assert STATUS_LINE[431] == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    assert HEADER_RE.search(b"a b")
    assert HEADER_VALUE_RE.search(b"a\r\nb")
    assert not HEADER_VALUE_RE.search(b"a b\tc")
    assert HIGH_WATER_LIMIT == 65536
