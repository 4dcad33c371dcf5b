"""From a changed source file to a new version that answers: Longshore, a plain script, docker compose; in turn."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from ways import Longshore, Way, all_ways


def main() -> None:
    """Run the rounds, print the table, remove everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "app"
        with all_ways(folder, Path(scratch)) as ways:
            times = measure(ways, folder, rounds)
            gaps = [way.between_jobs() for way in ways.values() if isinstance(way, Longshore)]
    report(times)
    print(f"\nbetween jobs (Longshore's own time, all hand-overs of one deployment): {gaps[0]}")


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


if __name__ == "__main__":
    main()
