"""Rows of clients."""

from functools import lru_cache
from typing import Any

import msgspec

from sealring.protocol.client import Client
from sealring.protocol.instant import Instant


def client_row(client: Client) -> dict[str, Any]:
    """Write a client as the values of its row."""
    return {
        "client_id": client.client_id,
        "registration": msgspec.json.encode(client, order="sorted").decode(),
        "epoch": client.epoch,
        "created_at": client.created_at,
    }


# The registration is the same text from one request to the next, so it is decoded once.
@lru_cache(maxsize=1024)
def client_of(registration: str, epoch: int, disabled_at: Instant | None, created_at: Instant) -> Client:
    """Read a client from its registration (JSON) and the columns beside it."""
    client = msgspec.json.decode(registration, type=Client)
    return msgspec.structs.replace(client, epoch=epoch, disabled_at=disabled_at, created_at=created_at)
