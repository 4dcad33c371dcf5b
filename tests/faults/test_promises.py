"""The promises of docs/operations.md, with the settings everybody has: no lease, no pause is shorter here."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import projects
import pytest
from harness import Stack, until

from longshore.settings import Settings

# A machine that runs other tests beside this one takes a multiple of the time to start a process.
SLACK = 1 if os.environ.get("LONGSHORE_FAULTS") == "all" else 3
RESUMED_WITHIN = 15.0  # seconds after a SIGKILL
JUST_STARTED = 6.0  # seconds more for a watcher that must start itself, and has seen no beat before
RUNG_WITHIN = 5.0  # seconds after a message was lost
DEFAULTS = {name: Settings.model_fields[name].default for name in ("lease", "overdue", "stop_grace", "drain_limit")}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack as it comes."""
    stack = Stack(**DEFAULTS)
    try:
        stack.up()
        yield stack
    finally:
        stack.remove()


def worker_of(stack: Stack) -> int:
    """Its worker, once it has said that it is there."""
    until(lambda: not stack.readiness(), 60, "a stack that is ready")
    return until(lambda: stack.pid("celery.* worker"), 20, "a worker process")


def begun(stack: Stack, view: dict, kind: str) -> int:
    """How often a job of a deployment has begun."""
    page = stack.view(f"/v1/apps/{view['app']}/deployments/{view['number']}/events?limit=200")
    return sum(one["kind"] == "job.running" and one["facts"]["kind"] == kind for one in page["items"])


@pytest.mark.parametrize("another_host", [False, True], ids=["same-host", "by-its-lease"])
def test_a_killed_worker_is_followed_by_another(stack: Stack, another_host: bool) -> None:
    pid = worker_of(stack)
    view = stack.begin("killed", projects.web(f"came up {another_host}"), health_check={"min_healthy_time": 5})
    until(lambda: stack.show(view)["phase"] == "checking", 90, "it is being checked")
    if another_host:  # nobody there can see its lock
        for lock in Path(stack.home, "workers").glob("*.lock"):
            lock.unlink()
    os.kill(pid, signal.SIGKILL)
    within = RESUMED_WITHIN + (JUST_STARTED if another_host else 0)
    until(lambda: begun(stack, view, "health_check") == 2, SLACK * within, "its health check goes on")
    assert stack.ended(view)["state"] == "succeeded"
    assert stack.text("killed") == f"came up {another_host}"


def test_a_lost_message_is_sent_again(stack: Stack) -> None:
    pid = worker_of(stack)
    os.kill(pid, signal.SIGSTOP)
    try:
        view = stack.begin("lost", projects.web("rung again"))
        with stack.redis() as redis:
            redis.flushall()
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: begun(stack, view, "build") == 1, SLACK * RUNG_WITHIN, "its build begins")
    assert stack.ended(view)["state"] == "succeeded"
