"""One contract for the fake locks and the real ones: who died is known at once, and nobody else is taken for dead."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.adapters.worker_locks import FileLocks
from longshore.testing import FakeLocks


def _live(folder: Path, name: str, ready: Any) -> None:
    FileLocks(folder).hold(name)
    ready.set()
    signal.pause()


class RealWorkers:
    """Processes that hold locks in a folder."""

    def __init__(self, folder: Path) -> None:
        self.locks = FileLocks(folder / "workers")
        self._folder, self._processes = folder / "workers", {}
        self._context = multiprocessing.get_context("spawn")

    def live(self, name: str) -> None:
        ready = self._context.Event()
        self._processes[name] = self._context.Process(target=_live, args=(self._folder, name, ready))
        self._processes[name].start()
        assert ready.wait(20)

    def kill(self, name: str) -> None:
        process = self._processes.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        process.join()

    def close(self) -> None:
        for name in list(self._processes):
            self.kill(name)


class FakeWorkers:
    """The same without processes."""

    def __init__(self) -> None:
        self.locks = FakeLocks()
        self.live, self.kill = self.locks.hold, self.locks.kill


@pytest.fixture(params=["fake", "real"])
def workers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "fake":
        yield FakeWorkers()
        return
    real = RealWorkers(tmp_path)
    yield real
    real.close()


def test_one_that_was_killed_is_known_at_once_until_it_is_forgotten(workers: Any) -> None:
    workers.live("one")
    workers.live("two")
    assert workers.locks.abandoned() == set()
    workers.kill("one")
    assert workers.locks.abandoned() == {"one"}
    assert workers.locks.abandoned() == {"one"}
    workers.locks.forget(["one"])
    assert workers.locks.abandoned() == set()


def test_ones_own_lock_is_not_abandoned_and_can_be_let_go(workers: Any) -> None:
    workers.locks.hold("me")
    workers.locks.hold("me")
    assert workers.locks.abandoned() == set()
    workers.locks.forget(["me", "nobody"])
    assert workers.locks.abandoned() == set()


def test_where_nobody_ever_worked_nobody_is_gone(workers: Any) -> None:
    assert workers.locks.abandoned() == set()


def test_a_lock_that_was_taken_for_abandoned_before_it_was_held_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    locks, lock, removed = FileLocks(tmp_path), fcntl.flock, []

    def remove_first(descriptor: int, how: int) -> None:
        if not removed:
            removed.append((tmp_path / "me.lock").unlink())
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    locks.hold("me")
    assert (tmp_path / "me.lock").exists()
    assert FileLocks(tmp_path).abandoned() == set()
