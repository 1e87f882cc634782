"""The keys by which clients prove who they are: as registered, or from where the client publishes them."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from sealring.ports import Outgoing, OutgoingAnswer
from sealring.protocol.client import Client
from sealring_verify.issuer_metadata import IssuerMetadata
from sealring_verify.jwks import FetchedJwks, JwksPolicy, JwksState

_CLIENTS_KEPT: Final = 1024
# A client's keys open sessions: kept for an hour at most, and for a quarter more while their server is away. A client
# that turns its key shortly after it was seen first is not refused for that.
_POLICY: Final = JwksPolicy(kept_while_down=900, pause_for_unknown_key=1)

_Place = tuple[str, str]  # client and address: one client's garbage must not age another's keys


class ClientKeys:
    """Key sets of clients, kept by the rules of verifiers (`sealring_verify.jwks`); one fetch at a time each."""

    def __init__(self, outgoing: Outgoing, *, monotonic: Callable[[], float]) -> None:
        """`monotonic`: seconds that no step of the wall clock moves."""
        self._outgoing = outgoing
        self._monotonic = monotonic
        self._states: OrderedDict[_Place, JwksState] = OrderedDict()
        self._flights: dict[_Place, asyncio.Task[None]] = {}

    async def find(self, client: Client, *, unknown_key: bool = False) -> bytes | None:
        """Return a client's JWK set; None where it has none, or none can be had.

        `unknown_key`: no key of the set signed an assertion, so it is fetched again, once a second.
        """
        if client.jwks is not None:
            return client.jwks.encode()
        if client.jwks_uri is None:
            return None
        place = client.client_id, client.jwks_uri
        state = self._states.get(place, JwksState())
        if state.fetch_is_due(unknown_key=unknown_key, policy=_POLICY, now=self._monotonic()):
            await self._fetch_once(place)
            state = self._states.get(place, state)
        if place in self._states:
            self._states.move_to_end(place)
        return None if state.usable_keys(policy=_POLICY, now=self._monotonic()) is None else state.document

    async def _fetch_once(self, place: _Place) -> None:
        flight = self._flights.get(place)
        if flight is None:
            flight = self._flights[place] = asyncio.create_task(self._fetch(place))
            flight.add_done_callback(lambda _: self._flights.pop(place))
        # Whoever asked first may go away; the others still wait for the answer.
        await asyncio.shield(flight)

    async def _fetch(self, place: _Place) -> None:
        _, address = place
        answer = await self._outgoing.fetch(address)
        state, now = self._states.get(place, JwksState()), self._monotonic()
        if isinstance(answer, OutgoingAnswer) and answer.status == HTTPStatus.OK:
            metadata = IssuerMetadata(jwks_uri=address, introspection_endpoint=None)
            fetched = FetchedJwks(metadata=metadata, document=answer.body, cache_control=answer.cache_control)
            try:
                state = state.fetched(fetched, policy=_POLICY, now=now)
            except ValueError as problem:
                state = state.failed(str(problem), now=now)
        else:
            state = state.failed("the key set could not be fetched", now=now)
        self._states[place] = state
        while len(self._states) > _CLIENTS_KEPT:
            self._states.popitem(last=False)
