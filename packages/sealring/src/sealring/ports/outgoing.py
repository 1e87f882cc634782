"""Calls to other people's servers: key sets of clients, and what clients are to be told."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class OutgoingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What another server answered. `status`: HTTP, redirects included, which are not followed; `body`: at most 64 KiB.

    `cache_control`: the header of that name, which says for how long it may be kept (RFC 9111 §5.2), or None.
    """

    status: int
    body: bytes
    cache_control: str | None = None


class OutgoingFailed(msgspec.Struct, frozen=True):
    """Nothing came that could be used. Why is in the log alone: whoever named the address learns nothing by it."""


class Outgoing(Protocol):
    """Guarded calls: https to public addresses only, no redirects, 64 KiB and 5 seconds in all (SECURITY E8)."""

    async def fetch(self, url: str) -> OutgoingAnswer | OutgoingFailed:
        """GET a document."""
        ...

    async def post_form(self, url: str, form: Mapping[str, str]) -> OutgoingAnswer | OutgoingFailed:
        """POST a form."""
        ...

    async def post_json(self, url: str, body: bytes) -> OutgoingAnswer | OutgoingFailed:
        """POST what is JSON already."""
        ...
