"""The limits of builds, on the real engine: its steps run in the group that is limited."""

import secrets
import tarfile
import threading
import time
from io import BytesIO
from pathlib import Path

from longshore.adapters.builder import Ladder
from longshore.adapters.builder.limits import CGROUPS, GROUP, BuildLimits
from longshore.domain.names import LABEL_STACK
from longshore.domain.ports import BuildRequest


def _context(folder: Path) -> Path:
    path, text = folder / "context.tar", f"FROM python:3.13-slim\nRUN echo {secrets.token_hex(8)} && sleep 3\n"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(text)
        tar.addfile(member, BytesIO(text.encode()))
    return path


def _groups_at_work() -> list[Path]:
    """Groups of running build steps, in whichever tree this host has."""
    return [procs.parent for procs in CGROUPS.glob(f"**/{GROUP}/*/cgroup.procs") if procs.read_text().strip()]


def test_the_steps_of_a_build_run_below_the_limited_group(yard, tmp_path):
    limits = BuildLimits(yard.connection, yard.settings)
    tag = f"127.0.0.1:{yard.settings.registry_port}/{yard.stack}:limits"
    request = BuildRequest(_context(tmp_path), "Dockerfile", tag, {LABEL_STACK: yard.stack})
    building = threading.Thread(target=lambda: _build(Ladder(yard.connection, limits, "engine-api"), request))
    building.start()
    end = time.monotonic() + 30
    while not (found := _groups_at_work()):
        assert time.monotonic() < end, "no build step ran in the group"
        time.sleep(0.05)
    building.join()
    assert found
    assert limits.problem() is None
    for path, value in limits._files():
        assert path.read_text().strip() == value


def _build(ladder: Ladder, request: BuildRequest) -> None:
    with ladder.build(request) as news:
        for _ in news:
            pass
