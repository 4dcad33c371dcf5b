"""The wall clock of our processes jumps by an hour, of all of them or of one: nothing dies and nothing stands still."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from catalogue import Named
from checker import Expected, check
from choice import at, some
from harness import until
from rig import HERE, Rig
from trial import Note, Trial, note

pytestmark = pytest.mark.timeout(120)
(LIBRARY,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
JUMPS = itertools.cycle([("*", "+3600"), ("*", "-3600"), ("worker1", "+3600"), ("web", "-3600"), ("*", "+0")])


@pytest.fixture(scope="module")
def clocks(make_rig: Callable[..., Rig]) -> Trial:
    """A rig each of whose processes has a clock that can be set."""
    rig = make_rig(env_of=_clock_of)
    return Trial(rig)


def _clock_of(rig: Rig, name: str) -> dict[str, str]:
    if name == "redis":
        return {}
    (rig.faults / f"clock-{name}").write_text("+0")
    return {
        "PYTHONPATH": os.pathsep.join([str(HERE / "clocks"), rig.env["PYTHONPATH"]]),
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(rig.faults / f"clock-{name}"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def _set(rig: Rig, which: str, to: str) -> None:
    for clock in rig.faults.glob(f"clock-{which}"):
        new = clock.with_name(f"new-{clock.name}")
        new.write_text(to)
        new.rename(clock)


@pytest.mark.parametrize("to", ["+3600", "-3600", "+0"])
def test_what_was_lost_before_the_jump_is_rung_after_it(clocks: Trial, to: str, record_property: Note) -> None:
    """The web process dies before it rings: only a tick of beat can find what it wrote."""
    rig = clocks.rig
    clocks.ready()
    number = clocks.newest() + 1
    rig.arm(["web: after commit of deployments.create"], "hold")
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(clocks.begin, "upload")
        rig.caught()
        _set(rig, "*", to)
        rig.processes["web"].kill()
        assert isinstance(asking.exception(), httpx.TransportError)
    rig.disarm()
    until(rig.ready, 30, "the web process is back")
    view = rig.ended({"app": clocks.app, "number": number, "id": f"{clocks.app}#{number}"}, 30)
    assert view["state"] == "succeeded", view["error"]
    clocks.live = rig.text(clocks.app)
    check(rig, Expected(clocks.app, number, clocks.replicas))
    record_property("fault", [f"clock of * {to} s, message lost", "queued", "sqlite", None, None, None])


@at(some(2))
def test_the_clock_jumps_and_a_message_is_lost(clocks: Trial, named: Named, record_property: Note) -> None:
    """What was rung before the jump must still be rung again."""
    which, to = next(JUMPS)
    with clocks.new_version(named, "hold") as told:
        _set(clocks.rig, which, to)
        with clocks.rig.redis() as redis:
            redis.flushall()
        clocks.rig.go()
    told["resumed"] = None  # measured by clocks that moved
    note(record_property, f"clock of {which} {to} s", named, "sqlite", told)
