"""``docker buildx build --progress=rawjson``: the same account as JSON objects, one after the other."""

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from typing import IO, Any

from longshore.adapters.builder.failure import build_failed
from longshore.adapters.builder.limits import BuildLimits
from longshore.adapters.builder.stream import followed
from longshore.domain.ports import BuildLine, BuildNews, BuildRequest, BuildStepSeen
from longshore.errors import PartDownError

KEPT = ("PATH", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "DOCKER_CONFIG")


@cache
def plugin_version() -> str | None:
    """The version of the buildx plugin; ``None`` where there is none."""
    if shutil.which("docker") is None:
        return None
    told = subprocess.run(["docker", "buildx", "version"], capture_output=True, text=True, timeout=10, check=False)
    return told.stdout.split()[1] if told.returncode == 0 and len(told.stdout.split()) > 1 else None


class BuildxRung:
    """The rung for what the API cannot do. Values of build arguments go through the environment, not argv."""

    def __init__(self, host: str, limits: BuildLimits) -> None:
        self._host = host
        self._limits = limits

    @contextmanager
    def build(self, request: BuildRequest) -> Iterator[Iterator[BuildNews | None]]:
        """News until the image is made."""
        with request.context.open("rb") as context:
            process = subprocess.Popen(
                self._argv(request),
                stdin=context,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=self._env(request),
                start_new_session=True,  # a group of its own: a cancel ends the plugin too
            )
            try:
                with followed(lambda: _news(process), lambda: _end(process)) as news:
                    yield news
            finally:
                _end(process)
                if process.stderr is not None:
                    process.stderr.close()

    def _argv(self, request: BuildRequest) -> list[str]:
        argv = ["docker", "--host", self._host, "buildx", "build", "--builder", "default", "--load"]
        argv += ["--progress", "rawjson", "--provenance", "false"]
        argv += ["--file", request.dockerfile, "--tag", request.tag]
        for key, value in request.labels.items():
            argv += ["--label", f"{key}={value}"]
        for key in request.args:
            argv += ["--build-arg", key]
        if request.target:
            argv += ["--target", request.target]
        if self._limits.cgroup_parent:
            argv += ["--cgroup-parent", self._limits.cgroup_parent]
        return [*argv, "-"]

    def _env(self, request: BuildRequest) -> dict[str, str]:
        ours = {key: os.environ[key] for key in KEPT if key in os.environ}
        return {**{key: value for key, value in request.args.items() if key not in KEPT}, **ours}


def _news(process: "subprocess.Popen[bytes]") -> Iterator[BuildNews]:
    failed: str | None = None
    errors: list[str] = []
    for message in _objects(process.stderr, errors):
        for vertex in message.get("vertexes") or []:
            step = _step(vertex)
            failed = step.name if step.error else failed
            yield step
        for log in message.get("logs") or []:
            yield from _lines(log)
    if process.wait() != 0:
        raise _failed("\n".join(errors) or "buildx ended without a word", failed)


def _failed(text: str, step: str | None) -> Exception:
    if "Cannot connect to the Docker daemon" in text:
        return PartDownError("engine", "the container engine does not answer")
    return build_failed(text, step)


def _objects(stream: IO[bytes] | None, errors: list[str]) -> Iterator[dict[str, Any]]:
    """JSON objects, spread over lines as they please; a line that begins with no brace is an error in words."""
    decoder, text = json.JSONDecoder(), ""
    for raw in stream or ():
        line = raw.decode(errors="replace")
        if not text and not line.lstrip().startswith("{"):
            errors.extend([line.strip()] if line.strip() else [])
            continue
        text += line
        while text := text.lstrip():
            try:
                value, end = decoder.raw_decode(text)
            except ValueError:
                break
            text = text[end:]
            if isinstance(value, dict):
                yield value


def _step(vertex: dict[str, Any]) -> BuildStepSeen:
    return BuildStepSeen(
        key=vertex["digest"],
        name=vertex.get("name", ""),
        cached=bool(vertex.get("cached")),
        started_at=_instant(vertex.get("started")),
        ended_at=_instant(vertex.get("completed")),
        error=vertex.get("error") or None,
    )


def _lines(log: dict[str, Any]) -> Iterator[BuildLine]:
    for line in base64.b64decode(log.get("data") or "").decode(errors="replace").splitlines():
        yield BuildLine(line, log.get("vertex"))


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM to the whole group cancels the build in the engine; harmless when it has ended."""
    if process.poll() is not None:
        return
    for sent, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sent)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
            return
