"""Rows of log-outs that clients have not been told of."""

from typing import Any

from sealring.ports import LogoutNotice


def logout_notice_of(row: Any) -> LogoutNotice:  # noqa: ANN401 -- a row
    """Read what LIST_DUE returns."""
    return LogoutNotice(sid=row[0], sub=row[1], client_id=row[2], ended_at=row[3], attempts=row[4])
