"""One redeploy under load: how long it takes, and how many requests fail meanwhile. Each way in turn."""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from ways import Way, all_ways

CLIENTS = 8


@dataclass
class Load:
    """What the clients saw."""

    asked: int = 0
    failed: int = 0


@dataclass
class Redeploy:
    """What one redeploy came to."""

    seconds: float
    load: Load


def main() -> None:
    """Run the rounds, print the table, remove everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "app"
        with all_ways(folder, Path(scratch)) as ways:
            for name, way in ways.items():
                change(folder, name)
                way.deploy()
            report({name: [redeploy(way, folder, name) for _ in range(rounds)] for name, way in ways.items()})


def redeploy(way: Way, folder: Path, name: str) -> Redeploy:
    """A changed file, deployed while clients ask all the time."""
    change(folder, name)
    with load(*way.address) as seen:
        took = way.deploy()
    return Redeploy(took, seen)


def change(folder: Path, name: str) -> None:
    """Nobody profits from another's layer."""
    (folder / "version.txt").write_text(f"{name} {time.time_ns()}\n")


@contextmanager
def load(url: str, host: str) -> Iterator[Load]:
    """Clients that ask one request after the other, each over a new connection."""
    seen, over, lock = Load(), threading.Event(), threading.Lock()

    def ask() -> None:
        while not over.wait(0.02):
            try:
                good = httpx.get(url, headers={"host": host}, timeout=10, trust_env=False).status_code == 200
            except httpx.HTTPError:
                good = False
            with lock:
                seen.asked, seen.failed = seen.asked + 1, seen.failed + (not good)

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield seen
    finally:
        over.set()
        for client in clients:
            client.join()


def report(seen: dict[str, list[Redeploy]]) -> None:
    """Medians, and ratios to the plain script."""
    base = statistics.median(one.seconds for one in seen["plain"])
    print(f"{'way':<12}{'median':>9}{'to plain':>10}{'requests':>10}{'failed':>8}")
    for name, rounds in seen.items():
        middle = statistics.median(one.seconds for one in rounds)
        asked, failed = (sum(getattr(one.load, what) for one in rounds) for what in ("asked", "failed"))
        print(f"{name:<12}{middle:>8.2f}s{middle / base:>9.2f}x{asked:>10}{failed:>8}")


if __name__ == "__main__":
    main()
