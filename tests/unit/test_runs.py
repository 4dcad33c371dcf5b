"""One-off commands that somebody asked for: run once, in what is live, and never again."""

import pytest

from longshore.errors import ConflictError, NotFoundError
from longshore.models import OneOff
from longshore.services import apps, runs, sweeps
from longshore.services.runs import NewRun
from longshore.testing import Behaviour

IMAGE = "example.com/hello:1"


@pytest.fixture
def served(stack):
    """An app that is live, whose command `loop` does not end."""
    commands = {"loop": (), "fail": (3,)}
    stack.engine.publish(IMAGE, Behaviour(endings=commands, output=("the token is hush-hush", "\x1b[31mred")))
    stack.create(env={"TOKEN": "hush-hush"})
    stack.deploy(image=IMAGE)
    stack.drive()
    return stack


def ask(stack, *command: str, **more):
    return runs.create(stack.services, "hello", NewRun(list(command), "ann", **more))


def show(stack, number: int):
    return runs.show(stack.services, "hello", number)


def printed(stack, number: int) -> str:
    row_id = runs.glance(stack.services, "hello", number).row_id
    return "\n".join(line.text for line in runs.read(stack.services, row_id, after=0, limit=100))


def test_it_runs_in_the_live_image_with_its_environment_and_tells_its_exit_code(served):
    stack = served
    assert ask(stack, "ls", "-l").state == "queued"
    stack.drive()
    view = show(stack, 1)
    assert (view.state, view.exit_code, view.release, view.error) == ("succeeded", 0, 1, None)
    (spec,) = stack.engine.ran
    assert (spec.name, list(spec.command)) == ("longshore.hello.run.1", ["ls", "-l"])
    assert spec.env["TOKEN"] == "hush-hush"
    assert printed(stack, 1).splitlines() == ["the token is [redacted]", "red"]


def test_another_exit_code_is_a_failure_that_says_it(served):
    stack = served
    ask(stack, "fail")
    stack.drive()
    assert (show(stack, 1).state, show(stack, 1).exit_code, show(stack, 1).error.code) == ("failed", 3, "exited")


def test_nothing_live_or_no_such_process_is_refused(stack):
    stack.create()
    with pytest.raises(ConflictError):
        ask(stack, "ls")
    stack.engine.publish(IMAGE)
    stack.deploy(image=IMAGE)
    stack.drive()
    with pytest.raises(NotFoundError):
        ask(stack, "ls", process="worker")
    with pytest.raises(NotFoundError):
        show(stack, 7)


def test_one_that_waits_is_cancelled_at_once_and_one_that_runs_is_stopped(served):
    stack = served
    ask(stack, "ls")
    assert runs.cancel(stack.services, "hello", 1).state == "cancelled"
    ask(stack, "loop")

    def cancel() -> None:
        stack.clock.sleep(1)
        runs.cancel(stack.services, "hello", 2)

    stack.engine.waited = cancel
    stack.drive()
    assert show(stack, 2).state == "cancelled"
    assert "longshore.hello.run.2" not in stack.engine.standing
    with pytest.raises(ConflictError):
        runs.cancel(stack.services, "hello", 2)


def test_one_that_takes_too_long_is_stopped(served):
    stack = served
    stack.engine.waited = lambda: stack.clock.sleep(1)
    ask(stack, "loop", deadline=3)
    stack.drive()
    assert (show(stack, 1).state, show(stack, 1).error.code) == ("failed", "deadline")


def test_one_whose_worker_died_has_failed_is_not_repeated_and_its_container_is_removed(served):
    stack = served
    ask(stack, "ls")

    def lost(spec, *_) -> None:
        stack.engine.start(spec)
        raise KeyboardInterrupt

    stack.engine.run_once = lost
    with pytest.raises(KeyboardInterrupt):
        stack.drive()
    sweeps.take_over_from(stack.worker, [stack.worker.lease.worker_id])
    stack.drive()
    sweeps.clean(stack.worker)
    view = show(stack, 1)
    assert (view.state, view.error.message) == ("failed", "its worker went away")
    assert stack.engine.find("longshore.hello.run.1") is None
    with stack.db.read() as session:
        assert session.query(OneOff).one().removed_at is not None


def test_a_worker_that_leaves_ends_it_when_the_grace_is_over(served):
    stack = served
    ask(stack, "loop")

    def leave() -> None:
        stack.worker.shift.end()
        stack.clock.sleep(4)

    stack.engine.waited = leave
    stack.drive()
    assert (show(stack, 1).state, show(stack, 1).error.code) == ("failed", "worker_stopped")


def test_a_lost_message_is_sent_again(served):
    stack = served
    ask(stack, "ls")
    stack.queue.lose_all()
    stack.run_on(6)
    assert show(stack, 1).state == "succeeded"


def test_while_the_engine_is_away_it_waits(served):
    stack = served
    ask(stack, "ls")
    stack.engine.down = True
    with pytest.raises(Exception, match="engine"):
        stack.drive()
    assert show(stack, 1).state == "queued"
    stack.engine.down = False
    stack.run_on(6)
    assert show(stack, 1).state == "succeeded"


def test_the_name_of_a_deleted_app_is_free_when_its_last_run_is_gone(served):
    stack = served
    ask(stack, "loop")

    def delete() -> None:
        stack.clock.sleep(1)
        apps.delete(stack.services, "hello")
        stack.engine.waited = lambda: stack.clock.sleep(1)

    stack.engine.waited = delete
    stack.drive()
    sweeps.clean(stack.worker)
    stack.create()
    with stack.db.read() as session:
        assert session.query(runs.Run).one().state == "cancelled"
