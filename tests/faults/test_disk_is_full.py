"""The disk fills up in the middle of a build: it fails and says why, and nobody who uses the app notices."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import projects
import pytest
from catalogue import Named
from checker import Expected, check, saw_only
from choice import POINTS, at
from rig import Rig
from trial import Note, Trial

pytestmark = pytest.mark.timeout(120)
SIZE = 2 * 1024**2
NEEDS_ROOM = "files.context"
AS_ROOT = [] if os.getuid() == 0 else ["sudo", "-n"]


@pytest.fixture(scope="module")
def small(make_rig: Callable[..., Rig]) -> Iterator[Trial]:
    """A rig with very little room for builds."""
    rig = make_rig(disk_floor=0)
    disk, builds = rig.folder / "disk", rig.home / "builds"
    disk.mkdir()
    subprocess.run([*AS_ROOT, "mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=777", "tmpfs", str(disk)], check=True)
    try:
        (disk / "builds").mkdir()
        builds.rmdir()
        builds.symlink_to(disk / "builds")
        yield Trial(rig)
    finally:
        subprocess.run([*AS_ROOT, "umount", "--lazy", str(disk)], check=True)


def _in_builds() -> list[Named]:
    names = [named for named in POINTS if named.job == "build" and named.source == "upload"]
    return names[: [named.name for named in names].index("build: after commit of _succeed")]


@at(_in_builds())
def test_a_build_without_room_fails_and_says_why(small: Trial, named: Named, record_property: Note) -> None:
    rig = small.rig
    small.ready()
    filler = rig.folder / "disk" / "filler"
    with rig.probed(small.app) as prober:
        before, serves = small.live, small.newest()
        rig.arm(named.names, "hold")
        view, text = small.begin("upload")
        rig.caught()
        _fill(filler)
        rig.go()
        view = rig.ended(view)
        filler.unlink()
        rig.disarm()
    if view["state"] == "succeeded":  # it needed no more room
        assert _order(named) > _order_of(NEEDS_ROOM)
        small.live = text
        check(rig, Expected(small.app, view["number"], small.replicas))
    else:
        assert (view["error"]["code"], view["error"]["fault"]) == ("disk_full", "platform")
        check(rig, Expected(small.app, view["number"], small.replicas, state="failed", live=serves))
        saw_only(prober, before)
        after = rig.deployed(small.app, projects.web(text))
        small.live = text
        check(rig, Expected(small.app, after["number"], small.replicas))
    record_property("fault", ["disk full", str(named), "sqlite", None, None, None])


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            return


def _order(named: Named) -> int:
    return _in_builds().index(named)


def _order_of(call: str) -> int:
    return min(at for at, named in enumerate(_in_builds()) if f"after {call}" in named.name) - 1
