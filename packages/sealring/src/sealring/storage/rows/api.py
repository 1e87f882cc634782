"""Rows of APIs."""

from functools import lru_cache
from typing import Any

import msgspec

from sealring.protocol.api import Api


# The same text from one request to the next, so it is decoded once.
@lru_cache(maxsize=1024)
def api_of(registration: str) -> Api:
    """Read an API from its registration (JSON)."""
    return msgspec.json.decode(registration, type=Api)


def api_row(api: Api) -> dict[str, Any]:
    """Write an API as the values of its row."""
    registration = msgspec.json.encode(api, order="sorted").decode()
    return {"identifier": api.identifier, "registration": registration, "created_at": api.created_at}
