"""Inside the processes of a rig: what happens at the point that is armed."""

import json
import os
import signal
import time
from pathlib import Path

FOLDER, ARMED, TAKEN, GO, REACHED = "faults", "armed", "taken", "go", "reached"
HELD_AT_MOST = 60.0


class Trap:
    """Notes every point that is reached. Whoever reaches the armed one first takes the file, and with it what is to
    happen: ``kill`` or ``stop`` this process, ``crash`` its group, or ``hold`` this thread until it may go on."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER
        self._folder.mkdir(exist_ok=True)
        self._actions = {
            "kill": _kill,
            "crash": _crash,
            "stop": _stop,
            "hold": self._hold,
        }

    def __call__(self, name: str) -> None:
        """A point is reached."""
        self._note(name)
        try:
            armed = json.loads((self._folder / ARMED).read_text())
            if name not in armed["points"]:
                return
            (self._folder / ARMED).rename(self._folder / TAKEN)
        except FileNotFoundError:
            return
        self._tell(name)
        self._actions[armed["action"]]()

    def _note(self, name: str) -> None:
        line = json.dumps({"name": name, "pid": os.getpid(), "at": time.time()}) + "\n"
        with (self._folder / REACHED).open("a") as reached:
            reached.write(line)

    def _tell(self, name: str) -> None:
        """Complete under another name first: whoever sees the file may read it."""
        story = {"name": name, "pid": os.getpid(), "at": time.time()}
        told = self._folder / f"{TAKEN}.told"
        told.write_text(json.dumps(story))
        told.rename(self._folder / TAKEN)

    def _hold(self) -> None:
        end = time.monotonic() + HELD_AT_MOST
        while not (self._folder / GO).exists() and time.monotonic() < end:
            time.sleep(0.01)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _crash() -> None:
    os.killpg(0, signal.SIGKILL)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
