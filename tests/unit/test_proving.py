"""What every kind of health check asks, how long it may take, and what is said when it does not get healthy."""

import pytest

from longshore.domain.ports import Executed
from longshore.services.proving import together
from longshore.services.proving.progress import Progress
from longshore.testing import Behaviour

NAME = "longshore.hello.g1.web.1"
CHECK = ("check", "--now")


def deploy(stack, check: dict, behaviour: Behaviour | None = None, **config):
    stack.builder.behaviour = behaviour or Behaviour()
    stack.create(config={"health_check": check, **config})
    stack.deploy()
    began = stack.clock.monotonic()
    stack.drive()
    return stack.show(1), stack.clock.monotonic() - began


def become(stack, behaviour: Behaviour, name: str = NAME) -> None:
    """From now on its containers behave otherwise."""
    image_id = stack.engine.specs[name].image_id
    image = stack.engine.images[image_id]
    stack.engine.images[image_id] = type(image)(image.facts, behaviour)


def after(stack, seconds: float, act) -> None:
    """Do something once, so long after the first replica was started."""
    began: list[float] = []

    def tick() -> None:
        if not began and NAME in stack.engine.specs:
            began.append(stack.clock.monotonic())
        if len(began) == 1 and stack.clock.monotonic() - began[0] >= seconds:
            began.append(0)
            act()

    stack.clock.ticks.append(tick)


def test_a_command_that_exits_with_0_is_healthy(stack):
    view, _ = deploy(stack, {"kind": "command", "command": CHECK}, Behaviour(commands={CHECK: Executed(0)}))
    assert view.state == "succeeded"
    assert ("execute", NAME) in stack.engine.calls


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (Executed(3, "a\nno queue"), "the command check exited with code 3: no queue"),
        (Executed(None, problem="was not over within 5 s"), "the command check was not over within 5 s"),
    ],
)
def test_a_command_that_fails_is_told_with_its_last_line(stack, done, words):
    check = {"kind": "command", "command": CHECK, "healthy_deadline": 3}
    view, _ = deploy(stack, check, Behaviour(commands={CHECK: done}))
    assert (view.state, view.error.code, view.error.fault) == ("failed", "unhealthy", "app")
    assert view.error.message == f"{NAME} was not healthy within 3 s: {words}"
    assert view.error.hint.startswith("Healthy means that the command exits with 0")


def test_tcp_asks_only_for_a_connection(stack):
    assert deploy(stack, {"kind": "tcp"}, Behaviour(status=500))[0].state == "succeeded"


def test_so_many_failures_in_a_row_end_the_wait(stack):
    view, took = deploy(stack, {"failures": 4, "interval": 2}, Behaviour(status=500))
    assert view.error.message == f"{NAME} was not healthy 4 times in a row: GET / answered 500"
    assert 6 <= took < 7


def test_failures_in_the_start_period_do_not_count(stack):
    after(stack, 8, lambda: become(stack, Behaviour()))
    view, _ = deploy(stack, {"failures": 2, "interval": 1, "start_period": 8}, Behaviour(status=500))
    assert view.state == "succeeded"


def test_after_the_start_period_they_count(stack):
    view, took = deploy(stack, {"failures": 2, "interval": 1, "start_period": 8}, Behaviour(status=500))
    assert view.error.message.startswith(f"{NAME} was not healthy 2 times in a row")
    assert 9 <= took < 10


def test_refused_so_often_says_where_it_listens(stack):
    view, _ = deploy(stack, {"failures": 2, "interval": 0.1}, Behaviour(port=80, loopback_only=True))
    assert (view.error.code, "2 times in a row; it listens on port 80, but on loopback only" in view.error.message) == (
        "not_listening",
        True,
    )


def test_so_many_successes_in_a_row_are_wanted(stack):
    view, took = deploy(stack, {"successes": 5, "interval": 2})
    assert view.state == "succeeded"
    assert 8 <= took < 9


def test_a_failure_in_between_begins_the_row_anew(stack):
    after(stack, 5, lambda: become(stack, Behaviour(status=500)))
    after(stack, 7, lambda: become(stack, Behaviour()))
    view, took = deploy(stack, {"successes": 5, "interval": 2})
    assert view.state == "succeeded"
    assert took >= 16


def test_a_restart_begins_its_time_anew(stack):
    def restart() -> None:
        there = stack.engine.standing[NAME]
        stack.engine.standing[NAME] = type(there)(**{**vars(there), "restarts": 1})

    after(stack, 1.5, restart)
    view, took = deploy(stack, {"kind": "running"})
    assert view.state == "succeeded"
    assert took >= 3.5
    assert f"{NAME} ended and was started again" in stack.log(1)


@pytest.mark.parametrize(("given", "least"), [({}, 2), ({"min_healthy_time": 7}, 7), ({"min_healthy_time": 0}, 0)])
def test_what_only_has_to_run_is_healthy_when_it_ran_for_long_enough(stack, given, least):
    view, took = deploy(stack, {"kind": "running", **given})
    assert view.state == "succeeded"
    assert least <= took < least + 1


def test_without_progress_the_deployment_fails_before_the_replicas_deadline(stack):
    check = {"healthy_deadline": 300, "progress_deadline": 20}
    view, took = deploy(stack, check, Behaviour(status=503), replicas=2)
    assert view.error.code == "no_progress"
    assert "no further replica became healthy within 20 s" in view.error.message
    assert took < 25


def test_progress_gives_all_the_others_their_time_again(stack, monkeypatch):
    made: list[Progress] = []

    class Seen(Progress):
        def __init__(self, clock) -> None:
            super().__init__(clock)
            made.append(self)

    monkeypatch.setattr(together, "Progress", Seen)
    after(stack, 8, lambda: made[0].made())
    stack.clock.ticks.append(lambda: stack.clock.monotonic() > 1014 and become(stack, Behaviour()))
    check = {"healthy_deadline": 300, "progress_deadline": 10, "interval": 1}
    view, took = deploy(stack, check, Behaviour(status=500))
    assert view.state == "succeeded"
    assert took > 13


def test_each_replica_that_gets_healthy_is_progress(stack, monkeypatch):
    made: list[int] = []
    monkeypatch.setattr(Progress, "made", lambda self: made.append(1))
    deploy(stack, {}, replicas=3)
    assert len(made) == 3
