"""A queue that delivers every message three times and the newest first, where the rig asks for it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from longshore.errors import LongshoreError
from longshore.services import Services

VARIABLE = "FAULTS_DISORDERED"
COPIES, GATHERED_FOR = 3, 0.1


class Disordered:
    """Gathers messages for a moment, then sends them backwards, each three times."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._gathered: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send_on, daemon=True)
        self._thread.start()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the inner one's."""
        return getattr(self._inner, name)

    def send(self, *args: Any, **kwargs: Any) -> None:
        """Take a message. Like any sender it may be told that all is well, and the message be lost."""
        with self._lock:
            self._gathered.append((args, kwargs))

    def close(self) -> None:
        """Send what is left."""
        self._over.set()
        self._thread.join()

    def _send_on(self) -> None:
        while not self._over.wait(GATHERED_FOR):
            with self._lock:
                batch, self._gathered = self._gathered * COPIES, []
            for args, kwargs in reversed(batch):
                with suppress(LongshoreError):
                    self._inner.send(*args, **kwargs)


@contextmanager
def disordered(services: Services) -> Iterator[Any]:
    """The services, with such a queue if the environment says so."""
    if VARIABLE not in os.environ:
        yield services
        return
    queue = Disordered(services.queue)
    yield replace(services, queue=queue)
    queue.close()
