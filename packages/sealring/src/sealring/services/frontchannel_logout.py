"""Which pages of clients a log-out page loads (OpenID Connect Front-Channel Logout 1.0 §3)."""

from collections.abc import Iterable
from typing import Final

import msgspec

from sealring.ports import EndedSession, Store
from sealring.protocol.frontchannel_logout import frame_source, frontchannel_address

# A browser that signed in somewhere a hundred times must not load a hundred pages.
_MOST: Final = 32


class ClientFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame of a log-out page. `name`: of the client, for whoever reads by ear."""

    source: str
    address: str
    name: str


async def find_client_frames(ended: Iterable[EndedSession], *, store: Store, issuer: str) -> tuple[ClientFrame, ...]:
    """List the frames by which clients hear that these sessions of a browser ended, 32 at most."""
    frames: list[ClientFrame] = []
    for session in ended:
        client = await store.clients.find(session.client_id)
        uri = None if client is None else client.logout.frontchannel_logout_uri
        if client is not None and uri is not None:
            address = frontchannel_address(uri, issuer=issuer, sid=session.sid)
            frames.append(ClientFrame(source=frame_source(uri), address=address, name=client.name))
    return tuple(frames[:_MOST])
