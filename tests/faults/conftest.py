"""Rigs, and the table of what was done to them. With ``LONGSHORE_FAULTS=all`` every fault meets every point."""

import itertools
import os
import statistics
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import docker
from postgres import Cluster
from private_engine import IMAGES
from rig import Rig
from trial import Trial

MakeRig = Callable[..., Rig]
_kept = itertools.count(1)


@pytest.fixture(scope="session")
def saved_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The base images of the host's engine in one file, for engines that cannot reach a hub."""
    saved = tmp_path_factory.mktemp("images") / "images.tar"
    docker("save", "--output", str(saved), *IMAGES)
    yield saved
    saved.unlink()


@pytest.fixture(scope="module")
def make_rig() -> Iterator[MakeRig]:
    """Rigs that run until the end of the module. ``postgres``: over a server of their own, as ``rig.cluster``."""
    with ExitStack() as stack:

        def make(*, postgres: bool = False, **settings: Any) -> Rig:
            cluster = stack.enter_context(Cluster()) if postgres else None
            rig = Rig(cluster=cluster, **settings, **({"database_url": cluster.make()} if cluster else {}))
            stack.callback(rig.remove)
            rig.up()
            return rig

        yield make


@pytest.fixture(scope="module")
def on_sqlite(make_rig: MakeRig) -> Trial:
    """An app on a rig whose rows are in SQLite."""
    return Trial(make_rig())


@pytest.fixture(scope="module")
def on_postgres(make_rig: MakeRig) -> Trial:
    """An app on a rig whose rows are in PostgreSQL."""
    return Trial(make_rig(postgres=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the processes wrote outlives a test that failed."""
    report = yield
    trials = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Trial | Rig)]
    if report.failed and trials:
        rig = trials[0] if isinstance(trials[0], Rig) else trials[0].rig
        folder = item.config._tmp_path_factory.getbasetemp() / f"faults-{next(_kept)}"
        with _quietly():
            rig.keep_logs(folder)
        report.sections.append(("all logs of the rig", str(folder)))
    return report


@contextmanager
def _quietly() -> Iterator[None]:
    try:
        yield
    except OSError:
        return


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What was done at which point; seconds until the work went on, until it had ended, until all was clean."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    lines = [
        (*value, report.outcome)
        for report in reports
        if report.when == "call"
        for key, value in report.user_properties
        if key == "fault"
    ]
    if not lines:
        return
    terminalreporter.section("faults: seconds until work went on, had ended, and all was clean")
    if os.environ.get("LONGSHORE_FAULTS") == "all":
        for fault, point, database, *seconds, outcome in sorted(lines, key=lambda line: line[:3]):
            terminalreporter.line(f"{fault:<34} {point:<62} {database:<10} {_row(seconds)} {outcome}")
    for fault in sorted({line[0] for line in lines}):
        mine = [line[3:6] for line in lines if line[0] == fault]
        columns = [[one for one in column if one is not None] for column in zip(*mine, strict=True)]
        median = _row([statistics.median(column) if column else None for column in columns])
        most = _row([max(column, default=None) for column in columns])
        terminalreporter.line(f"{fault:<34} {len(mine):>3} times; median {median}; most {most}")


def _row(seconds: list[float | None]) -> str:
    return " ".join("     -" if one is None else f"{one:6.2f}" for one in seconds)
