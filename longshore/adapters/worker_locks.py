"""Locks by which a host knows at once that a worker process is gone: the kernel lets them go when it dies."""

import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

SUFFIX = ".lock"


class FileLocks:
    """One locked file per live worker process, in a folder of the home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def hold(self, worker_id: str) -> None:
        """Make the file and lock it; held until the process ends, however it ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{worker_id}{SUFFIX}"
        while worker_id not in self._held:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _same(path, descriptor):  # else somebody took it for abandoned before it was locked, and removed it
                self._held[worker_id] = descriptor
            else:
                os.close(descriptor)

    def abandoned(self) -> set[str]:
        """Those whose file is there and whose lock is free."""
        return {path.name.removesuffix(SUFFIX) for path in self._folder.glob(f"*{SUFFIX}") if _free(path)}

    def forget(self, worker_ids: Iterable[str]) -> None:
        """Remove their files; one that is held by us is let go."""
        for worker_id in worker_ids:
            (self._folder / f"{worker_id}{SUFFIX}").unlink(missing_ok=True)
            if worker_id in self._held:
                os.close(self._held.pop(worker_id))


def _free(path: Path) -> bool:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        finally:
            os.close(descriptor)
    return False


def _same(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
