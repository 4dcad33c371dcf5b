"""Parts die and come back; nothing that was accepted is lost, and nobody's hands are needed."""

import os
import secrets
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import projects
import pytest
from harness import Stack, docker, until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(autouse=True)
def _whole_again(stack: Stack) -> None:
    """Every test begins, and leaves, with all parts there."""
    until(lambda: not stack.readiness(), 60, "all parts are ready")


def test_without_the_registry_a_deployment_waits_says_so_and_goes_on(stack: Stack, app: str) -> None:
    """It cannot come back before everything was seen: somebody else's container has its name."""
    registry = f"{stack.name}.registry"
    docker("rename", registry, f"{registry}.away")
    docker("create", "--name", registry, "nginx:1")
    docker("stop", f"{registry}.away")  # last: a worker that finds it stopped under its own name starts it at once
    try:
        until(lambda: "registry" in stack.readiness(), what="/readyz names the registry")
        view = stack.begin(app, projects.web("in the end"))
        why = until(lambda: w if "registry" in (w := stack.show(view)["why"] or "") else None, what="why names it")
        assert "waits for registry" in why
        assert stack.show(view)["state"] == "running"
        with stack.client(None) as client:
            assert client.get("/readyz").status_code == 503
    finally:
        docker("rm", registry)  # it is still there: what is not ours is left alone
        docker("rename", f"{registry}.away", registry)
    assert stack.ended(view)["state"] == "succeeded"
    assert stack.text(app) == "in the end"
    until(lambda: not stack.readiness(), what="/readyz is content again")


def test_a_killed_redis_loses_nothing(stack: Stack, name: Callable[[], str]) -> None:
    names = [name() for _ in range(3)]
    views = [stack.begin(one, projects.web(one)) for one in names[:2]]
    killed = stack.pid("redis-server")
    os.kill(killed, signal.SIGKILL)
    views.append(stack.begin(names[2], projects.web(names[2])))
    assert [stack.ended(view)["state"] for view in views] == ["succeeded"] * 3
    assert [stack.text(one) for one in names] == names
    assert stack.pid("redis-server") not in (None, killed)
    for one in names:
        stack.delete(one)


def test_a_worker_killed_in_mid_build_is_replaced_and_the_build_done_again(stack: Stack, app: str) -> None:
    slow = projects.web("second try")
    slow["Dockerfile"] += f"RUN sleep 3 && echo {secrets.token_hex(8)}\n"  # never in the engine's cache
    view = stack.begin(app, slow)
    until(lambda: "RUN sleep 3" in stack.log(view), what="the build is in its long step")
    killed = stack.pid("celery .* worker")
    os.kill(killed, signal.SIGKILL)
    ended = stack.ended(view)
    assert ended["state"] == "succeeded", ended["error"]
    assert ended["jobs"][0]["attempt"] == 1  # a lost worker is no fault of the job
    assert stack.pid("celery .* worker") not in (None, killed)
    assert len(stack.containers(app)) == 1
    until(lambda: not list((stack.home / "builds").iterdir()), what="the dead worker's build folder is gone")


def test_a_killed_web_process_is_back_at_once(stack: Stack) -> None:
    killed = stack.pid("gunicorn")
    orphans = Path(f"/proc/{killed}/task/{killed}/children").read_text().split()
    os.kill(killed, signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{one}").exists() for one in orphans), what="what it left behind is gone")
    until(lambda: stack.pid("gunicorn") not in (None, killed), what="another web process")
    until(lambda: _alive(stack), what="/healthz answers")


def _alive(stack: Stack) -> bool:
    with suppress(OSError, Exception), stack.client(None) as client:
        return client.get("/healthz").status_code == 200
    return False


def test_a_restarted_router_has_all_its_routes(stack: Stack, name: Callable[[], str]) -> None:
    names = [name() for _ in range(2)]
    for one in names:
        stack.deployed(one, projects.web(one))
    stack.deployed(names[0], projects.web(f"{names[0]} again"))  # this one is live in the other slot
    docker("restart", "--time", "2", f"{stack.name}.router")
    until(lambda: all(map(stack.answers, names)), 10, "both answer")
    assert [stack.text(one) for one in names] == [f"{names[0]} again", names[1]]
    for one in names:
        stack.delete(one)


def test_a_router_that_was_stopped_is_started_again(stack: Stack, app: str) -> None:
    stack.deployed(app, projects.web("back"))
    docker("stop", "--time", "2", f"{stack.name}.router")
    assert until(lambda: stack.answers(app), 60, "the app answers again") == "back"
