"""What lives as long as a worker process: its services, its heartbeat."""

import logging
import os
import signal
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import FrameType
from typing import Any

from celery.signals import after_setup_logger, worker_ready, worker_shutdown

from longshore.bootstrap import open_worker_services
from longshore.errors import LongshoreError
from longshore.services import WorkerServices, keys, parts, sweeps
from longshore.settings import HAND_BACK_WITHIN, Settings

log = logging.getLogger("longshore.worker")

CHECK_EVERY = 2.0  # seconds between two looks at the parts


class Process:
    """This worker process. Services are opened when the worker is ready, and closed when it shuts down."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._services: WorkerServices | None = None
        self._stop = threading.Event()
        self._busy: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._opening = threading.Lock()

    @property
    def services(self) -> WorkerServices:
        """The services, opened once."""
        with self._opening:
            if self._services is None:
                services = self._stack.enter_context(open_worker_services(Settings()))
                keys.prove(services)
                sweeps.arrive(services)
                self._services = services
            return self._services

    @contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """Whether nobody else in this process does this now."""
        lock = self._busy[name]
        free = lock.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                lock.release()

    def start(self) -> None:
        """Begin to beat, and to look at the parts: each in a thread of its own, neither needs the broker."""
        for target in (self._beat, self._look):
            threading.Thread(target=target, name=target.__name__.strip("_"), daemon=True).start()

    def leave(self) -> None:
        """Told to stop: nothing new is taken, and what runs is handed back. Celery waits for the threads to end."""
        if not self.services.shift.ending:
            self.services.shift.end()
            threading.Thread(target=self._hand_back, name="leave", daemon=True).start()

    def _hand_back(self) -> None:
        """Jobs stop at their next safe point. One that is stuck in a call is handed back without asking it."""
        services, shift = self.services, self.services.shift
        if shift.wait(HAND_BACK_WITHIN):
            return
        _try("hand back", lambda: sweeps.hand_back(services, lasting=False))
        if shift.wait(services.settings.shutdown_limit):
            return
        _try("leave", lambda: sweeps.leave(services))
        log.warning("handed back what did not stop in time")
        logging.shutdown()
        os._exit(0)  # its threads would be waited for; their calls can only touch what is their generation's

    def stop(self) -> None:
        """Say goodbye, stop beating and give everything back."""
        self._stop.set()
        if self._services is not None:
            _try("leave", lambda: sweeps.leave(self.services))
        self._stack.close()

    def _beat(self) -> None:
        """Renew the lease of all jobs of this process. A database that is away costs beats, and in the end the jobs."""
        while not self._stop.is_set():
            _try("beat", lambda: sweeps.beat(self.services))
            self._stop.wait(self.services.settings.lease / 5)

    def _look(self) -> None:
        """Look at the parts. What is down and ours is put right; what waited for one that came back is rung."""
        begun = False
        while not self._stop.is_set():
            seen: parts.Look | None = _try("look", lambda: parts.check(self.services))
            if seen is not None and (seen.back or seen.mendable or not begun):
                self._put_right(wake=seen.back or not begun)
                begun = True
            self._stop.wait(CHECK_EVERY)

    def _put_right(self, *, wake: bool) -> None:
        for name, sweep in (("reap", sweeps.reap), ("reconcile", sweeps.reconcile)):
            _try(name, partial(sweep, self.services))
        seen: parts.Look | None = _try("look", lambda: parts.check(self.services))
        if wake or (seen is not None and seen.back):
            _try("dispatch", lambda: sweeps.dispatch(self.services, at_once=True))


process = Process()

# One line for each periodic tick, probe and delivery would bury what is worth reading; jobs tell of themselves.
TALKATIVE = ("httpx", "celery.app.trace", "celery.worker.strategy")


@after_setup_logger.connect  # type: ignore[untyped-decorator]
def _quieter(**_: Any) -> None:
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


@worker_ready.connect  # type: ignore[untyped-decorator]
def _ready(**_: Any) -> None:
    process.start()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        _heed(number, signal.getsignal(number))


def _heed(number: int, celerys: Any) -> None:
    """Jobs stop first: Celery's own answer to a signal waits for them, and for SIGQUIT inside its handler."""

    def handle(received: int, frame: FrameType | None) -> None:
        process.leave()
        celerys(received, frame)

    signal.signal(number, handle)


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _shutdown(**_: Any) -> None:
    process.stop()


def _try(what: str, action: Any) -> Any:
    try:
        return action()
    except LongshoreError as error:
        log.warning("%s: %s", what, error.message)
    except Exception:
        log.exception("%s failed in a way nobody foresaw; going on", what)
    return None
