"""Ways to deploy the sample app: Longshore, the script people write, the tool they take next."""

import json
import os
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from longshore.cli import project
from longshore.cli.client import Client
from longshore.settings import Settings

HERE = Path(__file__).parent
SAMPLE = HERE.parent.parent / "sample_app"
NAME = "bench-hello"


class Way(Protocol):
    """One way to deploy the folder."""

    def deploy(self) -> float:
        """Seconds it took."""
        ...

    def clean(self) -> None:
        """Remove what it started."""
        ...

    @property
    def address(self) -> tuple[str, str]:
        """Where it answers, and under which host name."""
        ...


class Longshore:
    """From packing the folder and the POST to the news, on the event stream, that the deployment has succeeded."""

    def __init__(self, folder: Path, archive: Path) -> None:
        self.folder, self.archive = folder, archive
        self.gaps: list[float] = []
        self.api = Client()
        self.api.post("/v1/apps", json={"name": NAME})
        self.address = (f"http://127.0.0.1:{Settings().router_port}/", f"{NAME}.localhost")

    def deploy(self) -> float:
        began = time.monotonic()
        project.pack(self.folder, self.archive, project.Project())
        with self.archive.open("rb") as file:
            view = self.api.post(f"/v1/apps/{NAME}/deployments", files={"source": file})
        events = self.api.events(f"/v1/apps/{NAME}/deployments/{view['number']}/logs")
        view = next(event.data for event in events if event.kind == "deployment" and event.data["ended_at"])
        took = time.monotonic() - began
        if view["state"] != "succeeded":
            raise SystemExit(f"{view['id']} {view['state']}: {view['error']}")
        self.gaps.append(gaps(view))
        return took

    def between_jobs(self) -> str:
        return f"median {statistics.median(self.gaps) * 1000:.0f} ms"

    def clean(self) -> None:
        self.api.delete(f"/v1/apps/{NAME}")


class Plain:
    """The script people write."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        port = free_port()
        self.image = f"127.0.0.1:{settings.registry_port}/bench-plain:1"
        self.address = (f"http://127.0.0.1:{port}/", "localhost")
        self.argv = [str(HERE / "plain.sh"), str(folder), self.image, "longshore-bench-plain", str(port)]

    def deploy(self) -> float:
        return timed(lambda: run(self.argv))

    def clean(self) -> None:
        run(["docker", "rm", "--force", "longshore-bench-plain"])
        run(["docker", "rmi", "--force", self.image])


class Compose:
    """The tool people take next."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.image = f"127.0.0.1:{settings.registry_port}/bench-compose:1"
        port = free_port()
        self.address = (f"http://127.0.0.1:{port}/", "localhost")
        compose = str(HERE / "compose.yaml")
        self.argv = ["docker", "compose", "--project-name", "longshore-bench", "--file", compose]
        self.env = {"BENCH_IMAGE": self.image, "BENCH_FOLDER": str(folder), "BENCH_PORT": str(port)}

    def deploy(self) -> float:
        return timed(lambda: [self.compose(*words) for words in (["build"], ["push"], ["up", "--detach", "--wait"])])

    def compose(self, *words: str) -> None:
        run([*self.argv, *words], self.env)

    def clean(self) -> None:
        self.compose("down", "--timeout", "1")
        run(["docker", "rmi", "--force", self.image])


def gaps(view: dict[str, object]) -> float:
    """Seconds of a deployment during which none of its jobs ran, from its acceptance to its end."""
    jobs = json.loads(json.dumps(view["jobs"]))
    spans = sorted((at(job["started_at"]), at(job["ended_at"])) for job in jobs if job["kind"] != "drain")
    covered, idle = at(str(view["created_at"])), 0.0
    for start, end in spans:
        idle += max(0.0, start - covered)
        covered = max(covered, end)
    return idle


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def timed(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def run(argv: list[str], env: dict[str, str] | None = None) -> None:
    done = subprocess.run(argv, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} failed: {done.stderr[-500:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def all_ways(folder: Path, scratch: Path) -> "Iterator[dict[str, Way]]":
    """Each of them, by name; what they started is removed."""
    shutil.copytree(SAMPLE, folder)
    settings = Settings()
    ways: dict[str, Way] = {
        "longshore": Longshore(folder, scratch / "source.tar"),
        "plain": Plain(settings, folder),
        "compose": Compose(settings, folder),
    }
    try:
        yield ways
    finally:
        for way in ways.values():
            way.clean()
