"""One process of a rig: started again when it dies, as a supervisor would; stopped and killed on purpose."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

FIRST_SECOND, PAUSE = 1.0, 0.5  # one that dies in its first second is not started again at once


class Kept:
    """A process under watch, in a process group of its own. Its output goes on in one log over all its lives."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], logs: Path) -> None:
        self.name = name
        self.deaths: list[int] = []  # how each of its lives ended
        self._argv, self._env, self._log = list(argv), dict(env), logs / f"{name}.log"
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._born = 0.0
        self._running = self._begin()
        self._thread = threading.Thread(target=self._keep, name=f"keep {name}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """Of its present life."""
        return self._running.pid

    def signal(self, number: int) -> None:
        """Send a signal to the process (not to its children)."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to all of its group: nothing of it is left; it is started again."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill it for good."""
        with self._lock:
            self._over.set()
            self.kill()
        self._thread.join(20)

    def _begin(self) -> "subprocess.Popen[bytes]":
        self._born = time.monotonic()
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._argv,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _keep(self) -> None:
        while True:
            code = self._running.wait()
            if self._over.is_set():
                return
            self.deaths.append(code)
            if time.monotonic() - self._born < FIRST_SECOND:
                self._over.wait(PAUSE)
            with self._lock:
                if self._over.is_set():
                    return
                self._running = self._begin()
