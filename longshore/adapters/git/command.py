"""One git process: fixed environment, bounded time, stopped at once, its lines handed on."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from longshore.errors import PlatformError, StoppedError, TransientError

POLL = 0.1
MAX_LINE = 2000
MAX_LINES = 500
MAX_ANSWER = 1024 * 1024
_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Watch:
    """Who watches a fetch: where its lines go, until when it may last, and whether it has to stop."""

    on_line: Callable[[str], None]
    stopped: Callable[[], bool]
    deadline: float
    timeout: float

    def check(self) -> None:
        """Raise StoppedError, or TransientError (``git_unreachable``) when the time is over."""
        if self.stopped():
            raise StoppedError("the fetch was told to stop")
        if time.monotonic() >= self.deadline:
            text = f"the git host did not finish answering within {self.timeout:g} s"
            raise TransientError(text, code="git_unreachable", hint="check that the host is up and reachable")


@dataclass
class Outcome:
    """How a git process ended: its exit status, its answer (stdout) and its last lines (stderr)."""

    status: int
    answer: str
    lines: list[str] = field(default_factory=list)


def environment(home: Path, schemes: list[str], ssh: str, config: Mapping[str, str]) -> dict[str, str]:
    """Everything git sees: nothing of ours but PATH and the site's CA files. ``config`` holds what may be secret."""
    ca = {name: os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)}
    if bundle := ca.get("GIT_SSL_CAINFO") or ca.get("CURL_CA_BUNDLE") or ca.get("SSL_CERT_FILE"):
        ca["GIT_SSL_CAINFO"] = bundle
    settings = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (key, value) in enumerate(config.items()):
        settings |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": ":".join(schemes),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_SSH_COMMAND": ssh,
        "GIT_SSH_VARIANT": "ssh",
        **ca,
        **settings,
    }


def run_git(
    arguments: list[str], *, env: dict[str, str], cwd: Path, watch: Watch, clean: Callable[[str], str]
) -> Outcome:
    """Run ``git`` with these arguments to its end; ``clean`` is applied to every line first.

    Raises StoppedError or TransientError (``git_unreachable``) as `Watch.check` says; the whole process group is
    killed then. PlatformError (``git_missing``) when there is no git.
    """
    watch.check()
    try:
        process = subprocess.Popen(
            ["git", *arguments],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as exc:
        raise PlatformError("git is not installed here", code="git_missing", hint="install git >= 2.37") from exc
    with process:
        try:
            return _follow(process, watch, clean)
        except BaseException:
            # The leader has not been waited for, so its number cannot belong to anyone else yet.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def _follow(process: "subprocess.Popen[bytes]", watch: Watch, clean: Callable[[str], str]) -> Outcome:
    assert process.stdout is not None  # noqa: S101  both are pipes, see above
    assert process.stderr is not None  # noqa: S101
    answer = bytearray()
    lines = _Lines(watch.on_line, clean)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, answer.extend)
        selector.register(process.stderr, selectors.EVENT_READ, lines.feed)
        while selector.get_map():
            watch.check()
            for key, _ in selector.select(POLL):
                _take(selector, key)
            if len(answer) > MAX_ANSWER:
                raise PlatformError("git answered more than could be read", code="git_failed")
    lines.feed(b"\n")
    return Outcome(process.wait(), answer.decode("utf-8", "surrogateescape"), lines.kept)


def _take(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
    chunk = os.read(pipe.fileno(), 65536)
    if chunk:
        key.data(chunk)
    else:
        selector.unregister(pipe)


class _Lines:
    """Cuts what git says into lines; of its progress (ended by a carriage return) one line a second is passed on."""

    def __init__(self, on_line: Callable[[str], None], clean: Callable[[str], str]) -> None:
        self.kept: list[str] = []
        self._on_line = on_line
        self._clean = clean
        self._begun = b""
        self._passed = 0
        self._next_progress = 0.0

    def feed(self, chunk: bytes) -> None:
        *whole, self._begun = (self._begun + chunk).splitlines(keepends=True) or [b""]
        if self._begun.endswith((b"\n", b"\r")):
            whole, self._begun = [*whole, self._begun], b""
        self._begun = self._begun[:MAX_LINE]
        for raw in whole:
            self._line(raw[:MAX_LINE].decode("utf-8", "replace").rstrip(), is_progress=raw.endswith(b"\r"))

    def _line(self, text: str, *, is_progress: bool) -> None:
        now = time.monotonic()
        if not text or (is_progress and now < self._next_progress):
            return
        line = self._clean(text)
        self._next_progress = now + 1
        if not is_progress:
            self.kept = [*self.kept[-49:], line]
        if self._passed < MAX_LINES:
            self._passed += 1
            self._on_line(line)
