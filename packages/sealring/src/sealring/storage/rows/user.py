"""Rows of people."""

from typing import Any

import msgspec

from sealring.protocol.user import User, UserCredentials


def user_row(
    user: User, *, username_key: str | None, email_key: str | None, password_hash: str | None
) -> dict[str, Any]:
    """Write a user as the values of a row."""
    return msgspec.structs.asdict(user) | {
        "username_key": username_key,
        "email_key": email_key,
        "password_hash": password_hash,
        "roles": msgspec.json.encode(user.roles).decode(),
        "claims": msgspec.json.encode(user.claims).decode(),
    }


def user_of(row: Any) -> User:  # noqa: ANN401 -- a row
    """Read what FIND_USER and its like return."""
    return User(
        sub=row[0],
        username=row[1],
        email=row[2],
        roles=msgspec.json.decode(row[3], type=tuple[str, ...]),
        claims=msgspec.json.decode(row[4], type=dict[str, object]),
        administrator=bool(row[5]),
        demo=bool(row[6]),
        epoch=row[7],
        disabled_at=row[8],
        created_at=row[9],
    )


def credentials_of(row: Any) -> UserCredentials | None:  # noqa: ANN401 -- a row
    """Read what FIND_CREDENTIALS and its like return; None for None."""
    return None if row is None else UserCredentials(user=user_of(row), password_hash=row[10])
