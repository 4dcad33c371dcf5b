"""From a changed source file to a new version that answers: Longshore, a plain script, docker compose; in turn."""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from longshore.cli import project
from longshore.cli.client import Client
from longshore.settings import Settings

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "sample_app"
NAME = "bench-hello"


def main() -> None:
    """Run the rounds, print the table, remove everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    settings = Settings()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "app"
        shutil.copytree(SAMPLE, folder)
        longshore = Longshore(folder, Path(scratch) / "source.tar")
        ways: dict[str, Way] = {
            "longshore": longshore,
            "plain": Plain(settings, folder),
            "compose": Compose(settings, folder),
        }
        try:
            times = measure(ways, folder, rounds)
        finally:
            for way in ways.values():
                way.clean()
    report(times)
    print(f"\nbetween jobs (Longshore's own time, all hand-overs of one deployment): {longshore.between_jobs()}")


class Way(Protocol):
    """One way to deploy the folder."""

    def deploy(self) -> float:
        """Seconds it took."""
        ...

    def clean(self) -> None:
        """Remove what it started."""
        ...


class Longshore:
    """From packing the folder and the POST to the news, on the event stream, that the deployment has succeeded."""

    def __init__(self, folder: Path, archive: Path) -> None:
        self.folder, self.archive = folder, archive
        self.gaps: list[float] = []
        self.api = Client()
        self.api.post("/v1/apps", json={"name": NAME})

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
        self.image = f"127.0.0.1:{settings.registry_port}/bench-plain:1"
        self.argv = [
            str(HERE / "ways" / "plain.sh"),
            str(folder),
            self.image,
            "longshore-bench-plain",
            str(free_port()),
        ]

    def deploy(self) -> float:
        return timed(lambda: run(self.argv))

    def clean(self) -> None:
        run(["docker", "rm", "--force", "longshore-bench-plain"])
        run(["docker", "rmi", "--force", self.image])


class Compose:
    """The tool people take next."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.image = f"127.0.0.1:{settings.registry_port}/bench-compose:1"
        self.argv = [
            "docker",
            "compose",
            "--project-name",
            "longshore-bench",
            "--file",
            str(HERE / "ways" / "compose.yaml"),
        ]
        self.env = {"BENCH_IMAGE": self.image, "BENCH_FOLDER": str(folder), "BENCH_PORT": str(free_port())}

    def deploy(self) -> float:
        return timed(lambda: [self.compose(*words) for words in (["build"], ["push"], ["up", "--detach", "--wait"])])

    def compose(self, *words: str) -> None:
        run([*self.argv, *words], self.env)

    def clean(self) -> None:
        self.compose("down", "--timeout", "1")
        run(["docker", "rmi", "--force", self.image])


def measure(ways: dict[str, Way], folder: Path, rounds: int) -> dict[str, list[float]]:
    """Each round changes the source once per way, so that nobody profits from another's layer; the first is warm-up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            (folder / "version.txt").write_text(f"{number} {name} {time.time_ns()}\n")
            took = way.deploy()
            if number:
                times[name].append(took)
    return times


def report(times: dict[str, list[float]]) -> None:
    """Medians, and ratios to the plain script."""
    base = statistics.median(times["plain"])
    print(f"{'way':<12}{'median':>9}{'min':>9}{'max':>9}{'to plain':>10}")
    for name, took in times.items():
        middle = statistics.median(took)
        print(f"{name:<12}{middle:>8.2f}s{min(took):>8.2f}s{max(took):>8.2f}s{middle / base:>9.2f}x")


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


if __name__ == "__main__":
    main()
