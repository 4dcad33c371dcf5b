"""Locks of worker processes, in a set."""

from collections.abc import Iterable


class FakeLocks:
    """Who holds a lock; ``kill`` lets one go as the kernel would. One object is one host."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.dead: set[str] = set()

    def hold(self, worker_id: str) -> None:
        """Live from now on."""
        self.held.add(worker_id)

    def kill(self, worker_id: str) -> None:
        """The process is gone."""
        self.held.discard(worker_id)
        self.dead.add(worker_id)

    def abandoned(self) -> set[str]:
        """Those that were killed."""
        return set(self.dead)

    def forget(self, worker_ids: Iterable[str]) -> None:
        """Need not be looked at again."""
        self.dead -= set(worker_ids)
        self.held -= set(worker_ids)
