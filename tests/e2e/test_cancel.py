"""Cancel and rollback on the real engine: what was begun is gone, and what served goes on serving."""

import secrets
import time

import projects
import pytest
from harness import Stack, docker, until

SOON = 6.0  # seconds in which a stop is felt; most of it is the moment a busy machine takes


def slow_build() -> dict[str, str]:
    """A build that nobody waits for; never in the cache."""
    return projects.steps(f"RUN echo {secrets.token_hex(8)} && sleep 300")


def never_listens() -> dict[str, str]:
    """Starts, and answers nothing."""
    return projects.program("import time\ntime.sleep(300)")


def test_a_build_is_stopped_within_seconds_and_leaves_nothing(stack: Stack, app: str) -> None:
    view = stack.begin(app, slow_build())
    until(lambda: "sleep 300" in stack.log(view), 30, "the slow step runs")
    asked = time.monotonic()
    cancel = stack.cancel(view)
    assert (cancel["effect"], cancel["acknowledged_at"]) == ("stops", None)
    ended = stack.ended(view)
    assert time.monotonic() - asked < SOON
    assert (ended["state"], ended["release"], ended["error"]) == ("cancelled", None, None)
    assert ended["cancel"]["acknowledged_at"] >= ended["cancel"]["asked_at"]
    assert docker("images", "-q", f"{stack.registry}/{app}") == ""
    assert stack.containers(app) == []
    assert stack.deploy(app, projects.web("after"))["state"] == "succeeded"


def test_new_replicas_are_undone_and_the_old_ones_fail_no_request(stack: Stack, app: str) -> None:
    stack.deployed(app, projects.web("old"))
    serving = stack.containers(app)
    with stack.probed(app) as prober:
        view = stack.begin(app, never_listens(), replicas=2)
        stack.reached(view, "checking")
        asked = time.monotonic()
        assert stack.cancel(view)["meaning"].endswith("what serves now goes on serving")
        assert stack.ended(view)["state"] == "cancelled"
        assert time.monotonic() - asked < SOON + stack.settings.stop_grace
    assert (prober.failures, prober.bodies()) == ([], {"old"})
    assert stack.containers(app) == serving


def test_what_waits_is_cancelled_at_once(stack: Stack, app: str) -> None:
    first = stack.begin(app, slow_build())
    stack.reached(first, "building")
    second = stack.begin(app, projects.web("never seen"))
    assert stack.show(second)["why"] == f"waits for {first['id']}, which is running; 1 before it"
    assert stack.cancel(second)["effect"] == "at_once"
    assert stack.show(second)["state"] == "cancelled"
    stack.cancel(first)
    assert stack.ended(first)["state"] == "cancelled"


@pytest.mark.parametrize("number", [1, 2])
def test_what_has_ended_says_so(stack: Stack, app: str, number: int) -> None:
    view = stack.deployed(app, projects.web("done"))
    answer = stack.ask("POST", f"/v1/apps/{app}/deployments/{number}/cancel")
    assert answer.status_code == (409 if number == 1 else 404), answer.text
    assert stack.show(view)["state"] == "succeeded"


def test_a_rollback_does_not_wait_for_a_build(stack: Stack, app: str) -> None:
    stack.deployed(app, projects.web("one"))
    stack.deployed(app, projects.web("two"))
    building = stack.begin(app, slow_build())
    until(lambda: "sleep 300" in stack.log(building), 30, "the slow step runs")
    with stack.probed(app) as prober:
        asked = time.monotonic()
        answer = stack.ask("POST", f"/v1/apps/{app}/rollback", json={})
        assert answer.status_code == 202, answer.text
        until(lambda: stack.answers(app) == "one", 20, "the first release serves again")
        assert time.monotonic() - asked < SOON
        assert stack.ended(dict(answer.json()))["state"] == "succeeded"
    assert prober.failures == []
    assert stack.show(building)["state"] == "cancelled"
    assert stack.view(f"/v1/apps/{app}")["release"] == 1


def test_the_command_line_says_what_cancelling_means_and_goes_back(stack: Stack, app: str) -> None:
    stack.deployed(app, projects.web("one"))
    stack.deployed(app, projects.web("two"))
    building = stack.begin(app, slow_build())
    stack.reached(building, "building")
    ran = stack.cli("cancel", app)
    assert (ran.code, "is stopped and undone" in ran.out) == (0, True), ran.said
    stack.ended(building)
    nothing = stack.cli("cancel", app)
    assert (nothing.code, "no deployment that waits or runs" in nothing.err) == (1, True), nothing.said
    back = stack.cli("rollback", app)
    assert back.code == 0, back.said
    assert "release 1 is live" in back.out
    assert stack.text(app) == "one"
