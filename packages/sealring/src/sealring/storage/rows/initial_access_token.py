"""Rows of initial access tokens."""

from typing import Any

import msgspec

from sealring.protocol.initial_access_token import InitialAccessToken


def initial_access_token_row(token: InitialAccessToken) -> dict[str, Any]:
    """Write a token as the values of its row."""
    return msgspec.structs.asdict(token)


def initial_access_token_of(row: Any) -> InitialAccessToken:  # noqa: ANN401 -- a row
    """Read what LIST_TOKENS and its like return."""
    return InitialAccessToken(
        id=row[0], digest=row[1], note=row[2], uses_left=row[3], created_at=row[4], expires_at=row[5]
    )
