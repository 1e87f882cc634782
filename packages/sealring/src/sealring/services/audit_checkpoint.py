"""Checkpoints: anchors that a running server writes by itself, so that an outside copy exists (SECURITY F1)."""

from collections.abc import Awaitable, Callable

from sealring.ports import Clock, Store
from sealring.protocol.audit_anchor import AuditAnchor, make_anchor

WriteCheckpoint = Callable[[AuditAnchor], Awaitable[None]]
"""Bring a checkpoint out of this machine's reach. Raises OSError where it could not be written."""


class AuditCheckpoints:
    """Writes how far the chains have come, and remembers what it wrote last."""

    def __init__(self, *, store: Store, issuer: str, audit_key: bytes, clock: Clock, write: WriteCheckpoint) -> None:
        self._store = store
        self._issuer = issuer
        self._audit_key = audit_key
        self._clock = clock
        self._write = write
        self._last: AuditAnchor | None = None

    async def write_due(self) -> bool:
        """Write a checkpoint where something was recorded since the last one; say whether one was written.

        The chains are not checked here: a checkpoint says what stands, and earlier ones what stood before. What could
        not be written stays due.
        """
        heads = await self._store.audit.heads()
        checkpoint = make_anchor(heads, issuer=self._issuer, audit_key=self._audit_key, now=self._clock())
        if self._last is not None and checkpoint.heads == self._last.heads:
            return False
        await self._write(checkpoint)
        self._last = checkpoint
        return True
