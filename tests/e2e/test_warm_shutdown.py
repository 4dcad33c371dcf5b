"""A worker that is told to stop hands back what it does, and nothing is lost, counted or done twice."""

import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import projects
import pytest
from harness import Stack, until

WITHIN = 12.0  # seconds: ten, and what a busy machine takes to end a process


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack whose worker may be stopped."""
    stack = Stack(shutdown_grace=4)
    try:
        stack.up()
        yield stack
    finally:
        stack.remove()


def late(text: str, seconds: int) -> dict[str, str]:
    """A web server that takes its time to come up."""
    files = projects.web(text)
    return {**files, "app.py": f"import time\ntime.sleep({seconds})\n" + files["app.py"]}


def build_of(seconds: int) -> dict[str, str]:
    """A build that takes so long, each time anew."""
    return projects.steps(f"RUN echo {secrets.token_hex(8)} && sleep {seconds}")


def worker_of(stack: Stack) -> int:
    pid = until(lambda: stack.pid("celery.* worker"), 20, "a worker process")
    until(lambda: stack.readiness() == {}, 30, "a worker that answers")
    return pid


def ends(stack: Stack, pid: int, *signals: int) -> float:
    """Send signals to a process; the seconds until it was gone and another one was there."""
    began = time.monotonic()
    for number in signals:
        with suppress(ProcessLookupError):  # it may have been quick
            os.kill(pid, number)
        time.sleep(0.05)  # as a person would press a key again
    until(lambda: not Path(f"/proc/{pid}").exists() or stack.pid("celery.* worker") != pid, 30, "the worker has ended")
    return time.monotonic() - began


def runs(stack: Stack, view: dict, kind: str) -> list[str]:
    """What happened to a job: ``running``, ``queued`` …"""
    page = stack.view(f"/v1/apps/{view['app']}/deployments/{view['number']}/events?limit=200")
    return [one["kind"].removeprefix("job.") for one in page["items"] if one["facts"].get("kind") == kind]


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([signal.SIGTERM], id="SIGTERM"),
        pytest.param([signal.SIGTERM, signal.SIGTERM], id="SIGTERM-twice"),
        pytest.param([signal.SIGQUIT], id="SIGQUIT"),
        pytest.param([signal.SIGINT] * 3, id="SIGINT-three-times"),
    ],
)
def test_a_health_check_is_handed_back_and_goes_on_elsewhere(own: Stack, signals: list[int]) -> None:
    app = f"hand{secrets.token_hex(2)}"
    pid = worker_of(own)
    view = own.begin(app, late("came up", 4))
    own.reached(view, "checking")
    assert ends(own, pid, *signals) < WITHIN
    view = own.ended(view)
    assert view["state"] == "succeeded", view["error"]
    job = next(one for one in view["jobs"] if one["kind"] == "health_check")
    assert (job["attempt"], runs(own, view, "health_check")) == (1, ["running", "queued", "running", "succeeded"])
    assert own.text(app) == "came up"
    assert len(own.containers(app)) == 1


def test_a_build_that_ends_within_the_grace_is_not_done_twice(own: Stack) -> None:
    pid = worker_of(own)
    view = own.begin("grace", build_of(2))
    until(lambda: "sleep 2" in own.log(view), 30, "the step runs")
    assert ends(own, pid, signal.SIGTERM) < WITHIN
    view = own.ended(view)
    assert (view["state"], runs(own, view, "build")) == ("succeeded", ["running", "succeeded"]), view["error"]


def test_a_build_that_does_not_is_stopped_and_done_again(own: Stack) -> None:
    pid = worker_of(own)
    view = own.begin("again", build_of(8))
    until(lambda: "sleep 8" in own.log(view), 30, "the step runs")
    assert ends(own, pid, signal.SIGTERM) < WITHIN
    view = own.ended(view)
    assert (view["state"], view["jobs"][0]["attempt"]) == ("succeeded", 1), view["error"]
    assert runs(own, view, "build") == ["running", "queued", "running", "succeeded"]


def test_three_deployments_at_once_are_handed_over(own: Stack) -> None:
    pid = worker_of(own)
    views = [own.begin(f"three{n}", late(f"three{n}", 3)) for n in range(3)]
    for view in views:
        own.reached(view, "checking")
    assert ends(own, pid, signal.SIGTERM) < WITHIN
    assert [own.ended(view)["state"] for view in views] == ["succeeded"] * 3
    assert [own.text(f"three{n}") for n in range(3)] == ["three0", "three1", "three2"]
