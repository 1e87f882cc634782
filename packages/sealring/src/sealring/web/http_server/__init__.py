"""The in-process HTTP server: uvicorn's protocol with deadlines, bounds and one socket write per answer.

Start at `server.HttpServer`. What is leant on in uvicorn is listed in `connection` and `exchange`, and
tests/web/http_server/test_uvicorn.py fails when any of it changes.
"""

from sealring.web.http_server.admission import ConnectionLimits
from sealring.web.http_server.listening import CannotListen, Listen, ListenUnix, PortInUse, SocketInUse
from sealring.web.http_server.server import HttpServer
from sealring.web.http_server.tls import Tls, make_server_context

__all__ = [
    "CannotListen",
    "ConnectionLimits",
    "HttpServer",
    "Listen",
    "ListenUnix",
    "PortInUse",
    "SocketInUse",
    "Tls",
    "make_server_context",
]
