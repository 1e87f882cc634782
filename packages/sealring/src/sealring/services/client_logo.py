"""Logos of clients: fetched by the guarded fetcher, kept for a while, served by us (SECURITY E3)."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import msgspec

from sealring.ports import Outgoing, OutgoingAnswer
from sealring.protocol.client import Client
from sealring.protocol.raster_image import RasterImage, parse_raster_image

_KEPT_SECONDS: Final = 3600.0
# So that who reloads a log-in page makes nobody's server answer each time.
_MISSING_SECONDS: Final = 300.0
_MOST: Final = 256


class _Kept(msgspec.Struct, frozen=True):
    image: RasterImage | None
    until: float


class ClientLogos:
    """What clients' `logo_uri` led to, by address; of many who ask at once one fetches."""

    def __init__(self, outgoing: Outgoing, *, monotonic: Callable[[], float]) -> None:
        self._outgoing = outgoing
        self._monotonic = monotonic
        self._kept: dict[str, _Kept] = {}
        self._flights: dict[str, asyncio.Task[RasterImage | None]] = {}

    async def find(self, client: Client) -> RasterImage | None:
        """Return the logo of a client; None where it has none, or what lies there is no raster image of 64 KiB."""
        uri = client.pages.logo_uri
        if uri is None:
            return None
        kept = self._kept.get(uri)
        if kept is not None and self._monotonic() < kept.until:
            return kept.image
        flight = self._flights.get(uri)
        if flight is None:
            flight = asyncio.create_task(self._fetch(uri))
            self._flights[uri] = flight
            flight.add_done_callback(lambda _: self._flights.pop(uri, None))
        # Whoever goes away leaves the answer to the others.
        return await asyncio.shield(flight)

    async def _fetch(self, uri: str) -> RasterImage | None:
        answer = await self._outgoing.fetch(uri)
        image = None
        if isinstance(answer, OutgoingAnswer) and answer.status == HTTPStatus.OK:
            image = parse_raster_image(answer.body)
        if len(self._kept) >= _MOST:
            self._kept.clear()
        life = _MISSING_SECONDS if image is None else _KEPT_SECONDS
        self._kept[uri] = _Kept(image, self._monotonic() + life)
        return image
