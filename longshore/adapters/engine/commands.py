"""Commands run inside a container that runs already: no shell, a deadline, and only the end of what they print."""

import os
import signal
import struct
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError

from longshore.adapters.engine.connection import explanation
from longshore.domain.ports import Executed

OUTPUT_LIMIT = 4 * 1024
NOT_THERE = 127
HEADER = struct.Struct(">BxxxL")  # the stream it came from, and how many bytes follow
LOOK_EVERY = 0.05
READ_AT_ONCE = 64 * 1024


def execute(client: docker.APIClient, name: str, command: Sequence[str], timeout: float) -> Executed:
    """Run it to its end, or until the time is over: then it is killed where we see its process."""
    until = time.monotonic() + timeout
    try:
        exec_id = client.exec_create(name, list(command))["Id"]
    except APIError as error:
        return _not_begun(error)
    try:
        stream: Any = client.exec_start(exec_id, socket=True)
    except APIError as error:
        return _not_begun(error) if error.status_code == 409 else Executed(NOT_THERE, explanation(error))
    with closing(stream), closing(stream._sock), closing(stream._response):
        output = _Output()
        over = _read(stream, output, until) and _ended(client, exec_id, until)
    if not over:
        _kill(client, exec_id)
        return Executed(None, output.text, f"was not over within {timeout:g} s")
    return Executed(int(client.exec_inspect(exec_id)["ExitCode"] or 0), output.text)


def _not_begun(error: APIError) -> Executed:
    if error.status_code in (404, 409):
        return Executed(None, problem="its container does not run")
    raise error


@dataclass
class _Output:
    """Takes the engine's frames apart; keeps the last bytes only, whatever a command prints."""

    kept: bytes = b""
    rest: bytes = b""
    left: int = 0  # bytes of the present frame that are still to come

    def take(self, more: bytes) -> None:
        self.rest += more
        while self.rest and (self.left or len(self.rest) >= HEADER.size):
            if not self.left:
                self.left = HEADER.unpack(self.rest[: HEADER.size])[1]
                self.rest = self.rest[HEADER.size :]
                continue
            part, self.rest = self.rest[: self.left], self.rest[self.left :]
            self.left -= len(part)
            self.kept = (self.kept + part)[-OUTPUT_LIMIT:]

    @property
    def text(self) -> str:
        return self.kept.decode(errors="replace").strip()


def _read(stream: Any, output: _Output, until: float) -> bool:
    """Read to the end; whether it came in time. The SDK's socket is read through the buffer that read the answer's
    head: it may hold the first bytes already."""
    buffer = stream._response.raw._fp.fp
    while (left := until - time.monotonic()) > 0:
        stream._sock.settimeout(left)
        try:
            more = buffer.read1(READ_AT_ONCE)
        except TimeoutError:
            return False
        if not more:
            return True
        output.take(more)
    return False


def _ended(client: docker.APIClient, exec_id: str, until: float) -> bool:
    """Whether it is over in time: one may close its output long before it ends."""
    while client.exec_inspect(exec_id)["Running"]:
        if time.monotonic() >= until:
            return False
        time.sleep(LOOK_EVERY)
    return True


def _kill(client: docker.APIClient, exec_id: str) -> None:
    """The engine has no call for this. Its process is killed where it is surely the one that is meant: seen from
    here, and in the container's own control group. Elsewhere it goes on, under the container's limits."""
    facts = client.exec_inspect(exec_id)
    if not facts["Running"] or not facts["Pid"]:
        return
    with suppress(OSError, AttributeError):
        process = os.pidfd_open(facts["Pid"])
        try:
            if facts["ContainerID"] in Path(f"/proc/{facts['Pid']}/cgroup").read_text():
                signal.pidfd_send_signal(process, signal.SIGKILL)
        finally:
            os.close(process)
