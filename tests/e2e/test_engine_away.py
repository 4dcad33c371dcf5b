"""The engine goes away and comes back. The real one is shared with others, so the stack reaches it by a gate."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import projects
import pytest
from harness import Stack, until

ENGINE = "/var/run/docker.sock"


class Gate:
    """A Unix socket in front of the engine's: while it is shut nothing answers, and what was open is cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []

    def open(self) -> None:
        """Let connections through."""
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """As if the engine had been killed."""
        self.path.unlink(missing_ok=True)
        for one in [self._listener, *self._open]:
            with suppress(OSError, AttributeError):
                one.shutdown(socket.SHUT_RDWR)
            with suppress(OSError, AttributeError):
                one.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(ENGINE)
                self._open += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Gate]]:
    """A stack whose engine can be taken away."""
    gate = Gate(Path("/tmp") / f"{tmp_path_factory.mktemp('gate').name}-{id(object()):x}.sock")
    gate.open()
    stack = Stack(docker_host=f"unix://{gate.path}")
    try:
        stack.up()
        yield stack, gate
    finally:
        stack.remove()
        gate.shut()


def test_without_the_engine_a_deployment_is_accepted_waits_and_goes_on(gated: tuple[Stack, Gate]) -> None:
    stack, gate = gated
    gate.shut()
    until(lambda: "engine" in stack.readiness(), what="/readyz names the engine")
    view = stack.begin("away", projects.web("it is back"))
    why = until(lambda: w if "engine" in (w := stack.show(view)["why"] or "") else None, what="why names it")
    assert "waits for engine" in why
    gate.open()
    assert stack.ended(view)["state"] == "succeeded"
    assert stack.text("away") == "it is back"
    assert stack.show(view)["jobs"][0]["attempt"] == 1


def test_an_engine_that_dies_in_mid_build_costs_nothing_but_time(gated: tuple[Stack, Gate]) -> None:
    stack, gate = gated
    slow = projects.web("built twice")
    slow["Dockerfile"] += f"RUN sleep 2 && echo {stack.name}\n"  # never in the cache of an earlier run
    view = stack.begin("cut", slow)
    until(lambda: "RUN sleep 2" in stack.log(view), what="the build is in its long step")
    gate.shut()
    until(lambda: stack.show(view)["jobs"][0]["state"] == "queued", what="the build is handed back")
    gate.open()
    assert stack.ended(view)["state"] == "succeeded"
    assert len(stack.containers("cut")) == 1


def _names_engine(stack: Stack) -> bool:
    with suppress(httpx.TransportError):
        return "engine" in stack.readiness()
    return False


def test_a_stack_that_starts_without_an_engine_accepts_and_waits(gated: tuple[Stack, Gate]) -> None:
    stack, gate = gated
    gate.shut()
    stack.cli("down")
    argv = [sys.executable, "-m", "longshore", "up", "--detach"]
    starting = subprocess.Popen(argv, cwd=stack.folder, env=stack.env, stdout=subprocess.DEVNULL)
    until(lambda: _names_engine(stack), 60, "the API answers and names the engine")
    view = stack.begin("early", projects.web("patience"))
    assert stack.show(view)["state"] in ("queued", "running")
    gate.open()
    assert stack.ended(view)["state"] == "succeeded"
    assert starting.wait(60) == 0
