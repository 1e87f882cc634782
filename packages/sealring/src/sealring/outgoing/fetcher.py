"""The guarded fetcher (SECURITY E8): the one way to other people's servers.

A name is resolved once, each address is judged, and the connection goes to the very address that was judged, with the
name in TLS and in Host: no second look-up could answer otherwise. No proxy, no redirect, no cookie, no credentials.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import msgspec
import structlog

from sealring.outgoing.address import Address, is_public, may_be_allowed
from sealring.outgoing.response import UnusableResponse, read_response
from sealring.ports import OutgoingAnswer, OutgoingFailed
from sealring.protocol.https_target import Target, parse_target

_ADDRESSES_TRIED: Final = 4
_log = structlog.get_logger()


class OutgoingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What calls may do. `allow`: `host:port` that may lead to this machine or a private network, exactly as called.

    `seconds`: for one call in all, its wait for a place included. `concurrent`: calls under way; `concurrent_per_host`:
    to one host and port, since one slow server must not hold up all others.
    """

    allow: frozenset[str] = frozenset()
    seconds: float = 5
    concurrent: int = 32
    concurrent_per_host: int = 4


class TrustProblem(msgspec.Struct, frozen=True):
    """Why the extra authorities cannot be trusted: a sentence."""

    sentence: str


class _Refused(Exception):  # noqa: N818 -- a reason on its way to the log
    pass


def load_trust(ca_file: Path | None) -> ssl.SSLContext | TrustProblem:
    """Trust the system's authorities, and those of `ca_file` (PEM) besides."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except (OSError, ValueError) as failure:
            reason = getattr(failure, "reason", None) or getattr(failure, "strerror", None) or failure
            return TrustProblem(f"outgoing.ca_file {ca_file} cannot be used: {reason}. It must be PEM certificates.")
    return context


class GuardedFetcher:
    """Calls other people's servers; the port Outgoing."""

    def __init__(self, trust: ssl.SSLContext, *, policy: OutgoingPolicy) -> None:
        self._trust = trust
        self._policy = policy
        self._places = asyncio.Semaphore(policy.concurrent)
        self._per_host: Counter[str] = Counter()

    async def fetch(self, url: str) -> OutgoingAnswer | OutgoingFailed:
        """GET a document."""
        return await self._call("GET", url)

    async def post_form(self, url: str, form: Mapping[str, str]) -> OutgoingAnswer | OutgoingFailed:
        """POST a form."""
        return await self._call("POST", url, urlencode(form).encode(), kind="application/x-www-form-urlencoded")

    async def post_json(self, url: str, body: bytes) -> OutgoingAnswer | OutgoingFailed:
        """POST what is JSON already."""
        return await self._call("POST", url, body, kind="application/json")

    async def _call(
        self, method: str, url: str, body: bytes | None = None, *, kind: str = ""
    ) -> OutgoingAnswer | OutgoingFailed:
        target = parse_target(url)
        if target is None:
            return _failed(method, url, "the address is not one of https, or has something odd in it")
        if self._per_host[target.authority] >= self._policy.concurrent_per_host:
            return _failed(method, url, "too many calls to this host are under way")
        self._per_host[target.authority] += 1
        try:
            async with asyncio.timeout(self._policy.seconds), self._places:
                return await self._exchange(target, _request(method, target, body, kind=kind))
        except TimeoutError:
            return _failed(method, url, f"no whole answer came in {self._policy.seconds} s")
        except (_Refused, UnusableResponse) as problem:
            return _failed(method, url, str(problem))
        except (OSError, EOFError, ValueError) as problem:  # ValueError: a name that DNS or TLS cannot spell
            return _failed(method, url, str(problem) or type(problem).__name__)
        finally:
            self._per_host[target.authority] -= 1
            if not self._per_host[target.authority]:
                del self._per_host[target.authority]

    async def _exchange(self, target: Target, request: bytes) -> OutgoingAnswer:
        reader, writer = await self._connect(target)
        try:
            writer.write(request)
            return await read_response(reader)
        finally:
            # Not closed in order: a server that takes its time over its end of TLS would take ours.
            writer.transport.abort()

    async def _connect(self, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        may_call: Callable[[Address], bool] = may_be_allowed if target.authority in self._policy.allow else is_public
        addresses = list(filter(may_call, await _resolve(target)))[:_ADDRESSES_TRIED]
        if not addresses:
            raise _Refused("the host has no address that may be called: `outgoing.allow` can name it")
        last = addresses.pop()
        for address in addresses:
            # One family may lead nowhere: of the time in all, each of the first three has a quarter.
            with suppress(OSError):
                async with asyncio.timeout(self._policy.seconds / _ADDRESSES_TRIED):
                    return await self._open(address, target)
        return await self._open(last, target)

    async def _open(self, address: Address, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(str(address), target.port, ssl=self._trust, server_hostname=target.host)


async def _resolve(target: Target) -> list[Address]:
    found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    # Once each, in the system's order of preference; a scope (`%eth0`) is of link-local addresses alone.
    return [ip_address(text) for text in dict.fromkeys(str(entry[4][0]) for entry in found)]


def _request(method: str, target: Target, body: bytes | None, *, kind: str) -> bytes:
    lines = [
        f"{method} {target.path} HTTP/1.1",
        f"Host: {target.host_header}",
        "User-Agent: sealring",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Connection: close",
    ]
    if body is not None:
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")


def _failed(method: str, url: str, reason: str) -> OutgoingFailed:
    # The query is left out: what stands in it may be somebody's.
    _log.warning("outgoing_call_failed", method=method, url=url.partition("?")[0][:256], reason=reason)
    return OutgoingFailed()
