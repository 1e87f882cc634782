"""Whether this node may serve: the store is still the one that it opened, and the clocks agree (SECURITY A9)."""

from sealring.ports import StoreIdentity


class Readiness:
    """What the upkeep last saw of the store, for all doors of one node.

    `halted`: the store is not the one that this node knew, or is older than it was: no tokens until the next start.
    `clock_differs`: this machine's clock is not the database's. What reaches the node is answered all the same: where
    the database's clock is the wrong one, refusing would stop all nodes at once.
    """

    def __init__(self, *, halted: bool = False) -> None:
        self.halted = halted
        self.clock_differs = False

    @property
    def code(self) -> str | None:
        """Say in a stable word why no new traffic should come, None where it may."""
        if self.halted:
            return "store_rolled_back"
        return "clock_differs" if self.clock_differs else None


def is_another_store(identity: StoreIdentity, *, opened: bytes, feed_number: int) -> bool:
    """Say whether the store is no longer the one that was opened, or has forgotten ends.

    `opened`: the incarnation to which this node's keys are bound. `feed_number`: the highest that it has seen.
    """
    return identity.incarnation != opened or identity.feed_number < feed_number
