"""An engine and a stack in namespaces of their own, so that a test may stop and kill the engine.

Processes, mounts and network of the namespaces end with their first process, and that ends with the test's own: a
test that is killed leaves nothing running and nothing mounted. Two engines in one network would share firewall
chains and address pools.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from harness import Stack, docker, until

IMAGES = ("python:3.13-slim", "haproxy:3.0", "registry:2")
CGROUPS = Path("/sys/fs/cgroup")
CLONE_NEWNET = 0x40000000
ANSWERS_WITHIN, ENDS_WITHIN = 30.0, 60.0

# The folders hidden are those that an engine looks into wherever its own folders are.
_FIRST_PROCESS = """
import fcntl, os, signal, socket, struct, subprocess
subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
for folder in ("/run/docker", "/run/containerd"):
    if os.path.isdir(folder):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
waited_for = {signal.SIGCHLD, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
print("ready", flush=True)
while signal.sigwait(waited_for) == signal.SIGCHLD:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
"""

_CONTAINERD = """
version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{folder}/containerd.sock"
"""


class Namespaces:
    """A network, a process tree and a list of mounts, seen by nobody else."""

    def __init__(self) -> None:
        assert os.geteuid() == 0, "an engine of its own needs root"
        apart = ("--net", "--pid", "--mount", "--propagation", "private", "--fork", "--kill-child")
        argv = ["setpriv", "--pdeathsig", "KILL", "unshare", *apart, sys.executable, "-ISc", _FIRST_PROCESS]
        self._outer = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self._outer.stdout is not None
        assert self._outer.stdout.readline() == "ready\n", "the namespaces could not be made"
        pid = self._outer.pid
        self._first = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
        self._network = Path(f"/proc/{self._first}/ns/net")

    def enter(self, folder: Path) -> tuple[str, ...]:
        """What a command that is to run inside, in a folder, begins with."""
        return ("nsenter", "--target", str(self._first), "--net", "--pid", "--mount", "env", f"--chdir={folder}")

    @contextmanager
    def network(self) -> Iterator[None]:
        """Sockets this thread makes meanwhile belong to the network inside, for as long as they live."""
        with Path("/proc/thread-self/ns/net").open() as outside, self._network.open() as inside:
            _set_network(inside.fileno())
            try:
                yield
            finally:
                _set_network(outside.fileno())

    def end(self) -> None:
        """End everything inside; returns when it is gone."""
        if self._outer.stdout is None or self._outer.stdout.closed:
            return
        os.kill(self._first, signal.SIGTERM)
        self._outer.wait(ENDS_WITHIN)
        self._outer.stdout.close()


_libc = ctypes.CDLL(None, use_errno=True)


def _set_network(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Inside(httpx.HTTPTransport):
    """Requests whose connections are made in the network inside."""

    def __init__(self, namespaces: Namespaces) -> None:
        super().__init__(trust_env=False)
        self._namespaces = namespaces

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        with self._namespaces.network():
            return super().handle_request(request)


class PrivateEngine:
    """A dockerd with everything of its own.

    With ``live_restore`` it stands as service managers run it: containers outlive it, and so does a containerd that
    is not its child. Without, it stands as ``tools/engine`` starts it: with a containerd below it, and its containers
    end with it.
    """

    def __init__(self, *, live_restore: bool) -> None:
        self.live_restore = live_restore
        self.folder = Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp"))
        self.host = f"unix://{self.folder}/docker.sock"
        self.namespaces = Namespaces()
        self._cgroup = f"longshore-{self.folder.name}"
        self._log = (self.folder / "log").open("ab")
        self._containerd: subprocess.Popen[bytes] | None = None
        self._dockerd: subprocess.Popen[bytes] | None = None

    def docker(self, *arguments: str, check: bool = True) -> str:
        """The answer of one docker command."""
        return docker(*arguments, check=check, host=self.host)

    def start(self) -> None:
        """Start it; returns when it answers."""
        if self.live_restore and self._containerd is None:
            settings = self.folder / "containerd.toml"
            settings.write_text(_CONTAINERD.format(folder=self.folder))
            self._containerd = self._run("containerd", "--config", str(settings))
            until((self.folder / "containerd.sock").exists, ANSWERS_WITHIN, "containerd's socket")
        own = ("--containerd", f"{self.folder}/containerd.sock", "--live-restore") if self.live_restore else ()
        folder = self.folder
        self._dockerd = self._run(
            *("dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--host", self.host),
            *("--pidfile", f"{folder}/docker.pid", "--cgroup-parent", f"/{self._cgroup}", *own),
        )
        until(self._answers, ANSWERS_WITHIN, "the engine answers")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it, or with SIGKILL: kill it, and it alone; returns when it is gone."""
        assert self._dockerd is not None
        number = (self.folder / "docker.pid").read_text().strip()
        kill = [*self.namespaces.enter(self.folder), "kill", f"-{how.value}", number]
        subprocess.run(kill, check=True, timeout=ENDS_WITHIN)
        self._dockerd.wait(ENDS_WITHIN)
        self._dockerd = None

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """Kill it and start it again."""
        self.stop(signal.SIGKILL)
        self.start()

    def last_words(self) -> str:
        """The end of its log."""
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def remove(self) -> None:
        """End everything inside, then take away what it left on disk."""
        self.namespaces.end()
        for one in (self._dockerd, self._containerd):
            if one is not None:
                one.wait(ENDS_WITHIN)
        self._log.close()
        _remove_cgroups(self._cgroup)
        shutil.rmtree(self.folder)

    def _run(self, *argv: str) -> "subprocess.Popen[bytes]":
        inside = [*self.namespaces.enter(self.folder), *argv]
        return subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)

    def _answers(self) -> bool:
        assert self._dockerd is not None
        assert self._dockerd.poll() is None, f"dockerd ended:\n{self.last_words()}"
        return bool(self.docker("version", "--format", "{{.Server.Version}}", check=False))


def _remove_cgroups(name: str) -> None:
    """Killed containers leave their control groups, empty; a folder per controller in the first version of them."""
    for top in (CGROUPS / name, *CGROUPS.glob(f"*/{name}")):
        for folder, _, _ in os.walk(top, topdown=False):
            until(lambda folder=folder: _removed(Path(folder)), what=f"{folder} is free")


def _removed(folder: Path) -> bool:
    with suppress(OSError):
        folder.rmdir()
    return not folder.exists()


@contextmanager
def private_engine(saved_images: Path, *, live_restore: bool) -> Iterator[PrivateEngine]:
    """An engine that has the base images; nothing of it is left afterwards."""
    engine = PrivateEngine(live_restore=live_restore)
    try:
        engine.start()
        engine.docker("load", "--quiet", "--input", str(saved_images))
        yield engine
    finally:
        engine.remove()


class PrivateStack(Stack):
    """A stack on a private engine, all of it inside that engine's namespaces."""

    def __init__(self, engine: PrivateEngine, **settings: object) -> None:
        super().__init__(docker_host=engine.host, **settings)
        self.engine = engine
        self.enter = engine.namespaces.enter(self.folder)

    def docker(self, *arguments: str, check: bool = True) -> str:
        """The answer of one docker command."""
        return self.engine.docker(*arguments, check=check)

    def transport(self) -> httpx.BaseTransport:
        """Its ports are open inside only."""
        return Inside(self.engine.namespaces)

    def remove(self) -> None:
        """Everything of it that runs goes with the namespaces; first, because a worker that runs writes files."""
        self.engine.namespaces.end()
        shutil.rmtree(self.settings.sockets, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
