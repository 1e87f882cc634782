"""An API's row, read; apart from its store, because the writer of the revocation feed reads it too."""

from functools import lru_cache

import msgspec

from sealring.protocol.api import Api


# The same text from one request to the next, so it is decoded once.
@lru_cache(maxsize=1024)
def api_of(registration: str) -> Api:
    """Read an API from its registration (JSON)."""
    return msgspec.json.decode(registration, type=Api)
