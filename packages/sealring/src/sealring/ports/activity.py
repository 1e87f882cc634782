"""Where ordinary acts are told, if anywhere (SECURITY F2)."""

from typing import Protocol

from sealring.protocol.activity import Activity


class ActivityStream(Protocol):
    """Takes what is no row of the audit. Where none is wanted, None stands in its place."""

    def tell(self, activity: Activity) -> None:
        """Take one act; never wait, never fail: what cannot be told is lost, and counted."""
        ...
