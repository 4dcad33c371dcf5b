"""Commands of the app's own around a deployment: the release command and the hooks, over fakes."""

from contextlib import suppress

import pytest

from longshore.errors import PlatformError
from longshore.models import OneOff
from longshore.services import replicas, sweeps
from longshore.services.deployments import CURRENT
from longshore.testing import Behaviour

MIGRATE = {"release_command": {"command": ["migrate"]}}
IMAGE, NEXT = "example.com/hello:1", "example.com/hello:2"


def kinds(view) -> list[str]:
    return [job.kind for job in view.jobs]


def coded(*codes: int, **more) -> Behaviour:
    return Behaviour(endings={"migrate": codes}, **more)


@pytest.fixture
def served(stack):
    """An app that is live, without a release command."""
    stack.engine.publish(IMAGE)
    stack.create(env={"TOKEN": "hush-hush"})
    stack.deploy(image=IMAGE)
    stack.drive()
    return stack


def deploy(stack, *codes: int, config=MIGRATE, **more):
    stack.engine.publish(NEXT, coded(*codes, **more))
    return stack.deploy(image=NEXT, config=config).number


def test_it_runs_once_before_any_new_replica_starts_in_the_new_image_with_the_new_environment(served):
    stack = served
    number = deploy(stack, 0)
    stack.drive()
    assert kinds(stack.show(number)) == ["release_command", "deploy", "health_check", "drain"]
    assert stack.show(number).state == "succeeded"
    calls = [(what, name) for what, name in stack.engine.calls if what in ("run_once", "start")]
    assert calls[1:] == [("run_once", "longshore.hello.g2.release_command"), ("start", "longshore.hello.g2.web.1")]
    (spec,) = stack.engine.ran
    assert spec.image_id == stack.engine.find_image(NEXT).id
    assert spec.env == {"PORT": "80", "TOKEN": "hush-hush"}
    assert spec.labels["longshore.one-off"] == "release_command"


def test_while_it_is_there_its_address_is_nobody_elses_and_then_it_is_free(served):
    stack = served
    run_once, drawn = stack.engine.run_once, []

    def looking(spec, *rest):
        with stack.db.read() as session:
            free = replicas.free_addresses(session, stack.engine.network())
            drawn.append((spec.address, set(free_ones(free))))
        return run_once(spec, *rest)

    stack.engine.run_once = looking
    number = deploy(stack, 0)
    stack.drive()
    assert stack.show(number).state == "succeeded"
    ((address, free),) = drawn
    assert address not in free
    assert address != stack.engine.specs["longshore.hello.g1.web.1"].address
    with stack.db.read() as session:
        assert session.query(OneOff).one().removed_at is not None


def free_ones(addresses) -> list[str]:
    """All of them: there is an end."""
    found = []
    with suppress(PlatformError):
        while True:
            found.append(next(addresses))
    return found


def test_it_goes_between_the_build_and_the_replicas(stack):
    stack.create(config=MIGRATE)
    stack.deploy()
    stack.drive()
    assert kinds(stack.show(1)) == ["build", "push", "release_command", "deploy", "health_check", "drain"]
    assert stack.show(1).state == "succeeded"


def test_one_that_fails_leaves_the_old_release_serving(served):
    stack = served
    number = deploy(stack, 3, output=("no such table",))
    stack.drive()
    view = stack.show(number)
    assert (view.state, view.error.code, view.error.fault) == ("failed", "release_command_failed", "app")
    assert "exit code 3" in view.error.message
    assert "no such table" in stack.log(number)
    assert [name for what, name in stack.engine.calls if what == "start"] == ["longshore.hello.g1.web.1"]
    assert [one.name for one in stack.engine.standing.values()] == ["longshore.hello.g1.web.1"]


def test_not_now_is_tried_again_later_costs_no_attempt_and_says_so(served):
    stack = served
    number = deploy(stack, 75, 75, 0)
    stack.drive()
    view = stack.show(number)
    assert (view.state, view.phase) == ("running", "releasing")
    assert view.why == "not now, said the release command; next try in 30 s"
    assert stack.job(number, "release_command").attempt == 0
    stack.run_on(20)
    assert len(stack.engine.ran) == 1
    stack.run_on(80)
    assert stack.show(number).state == "succeeded"
    assert len(stack.engine.ran) == 3


def test_not_now_for_ever_ends_with_the_deployments_deadline(served):
    stack = served
    stack.settle(deployment_deadline=100)
    number = deploy(stack, 75)
    stack.run_on(110)
    sweeps.enforce_deadlines(stack.worker)
    stack.drive()
    view = stack.show(number)
    assert (view.state, view.error.code) == ("failed", "deadline")
    assert "not now" in view.error.message


def test_one_that_takes_too_long_is_stopped_and_the_app_is_at_fault(served):
    stack = served
    stack.engine.waited = lambda: stack.clock.sleep(1)
    number = deploy(stack, config={"release_command": {"command": ["migrate"], "deadline": 5}})
    stack.drive()
    view = stack.show(number)
    assert (view.state, view.error.code, view.error.fault) == ("failed", "deadline", "app")
    assert "longer than 5 s" in view.error.message


def test_a_cancelled_one_is_stopped(served):
    stack = served
    number = deploy(stack)

    def cancel() -> None:
        stack.clock.sleep(1)
        if stack.show(number).cancel is None:
            stack.cancel(number)

    stack.engine.waited = cancel
    stack.drive()
    assert stack.show(number).state == "cancelled"
    assert "longshore.hello.g2.release_command" not in stack.engine.standing


def test_a_worker_that_leaves_queues_it_again_when_the_grace_is_over(served):
    stack = served
    number = deploy(stack)
    leaving = []

    def leave() -> None:
        leaving.append(stack.worker.shift.end())
        stack.clock.sleep(4)

    stack.engine.waited = leave
    stack.do_next(stack.worker)
    job = stack.job(number, "release_command")
    assert len(leaving) == 3  # within the grace of 10 s it may end
    assert (job.state, job.attempt) == ("queued", 0)


def test_what_a_lost_worker_left_is_removed_and_it_runs_again(served):
    stack = served
    number = deploy(stack, 0)
    run_once = stack.engine.run_once

    def lost(spec, *_) -> None:
        stack.engine.start(spec)
        raise KeyboardInterrupt

    stack.engine.run_once = lost
    with pytest.raises(KeyboardInterrupt):
        stack.drive()
    stack.engine.run_once = run_once
    assert stack.engine.find("longshore.hello.g2.release_command").running
    sweeps.take_over_from(stack.worker, [stack.worker.lease.worker_id])
    stack.drive()
    assert stack.show(number).state == "succeeded"
    assert stack.engine.find("longshore.hello.g2.release_command") is None


def test_what_a_lost_worker_left_of_a_cancelled_deployment_is_removed(served):
    stack = served
    number = deploy(stack, 0)

    def lost(spec, *_) -> None:
        stack.engine.start(spec)
        raise KeyboardInterrupt

    stack.engine.run_once = lost
    with pytest.raises(KeyboardInterrupt):
        stack.drive()
    stack.cancel(number)
    sweeps.take_over_from(stack.worker, [stack.worker.lease.worker_id])
    stack.drive()
    assert stack.show(number).state == "cancelled"
    assert stack.engine.find("longshore.hello.g2.release_command") is None


def test_a_rollback_and_a_restart_run_none_and_a_change_of_configuration_does(served):
    stack = served
    deploy(stack, 0)
    stack.drive()
    changed = stack.deploy(source=CURRENT, config={"replicas": 2}).number
    stack.drive()
    assert len(stack.engine.ran) == 2
    restarted = stack.deploy(source=CURRENT).number
    stack.drive()
    back = stack.roll_back(2).number
    stack.drive()
    assert [stack.show(number).state for number in (changed, restarted, back)] == ["succeeded"] * 3
    assert len(stack.engine.ran) == 2
    assert "release_command" not in kinds(stack.show(restarted)) + kinds(stack.show(back))


def test_the_plan_is_completed_when_its_turn_comes(served):
    stack = served
    first = deploy(stack, 0)
    second = stack.deploy(source=CURRENT, env={"A": "1"}).number
    assert "release_command" not in kinds(stack.show(second))
    stack.drive()
    assert stack.show(first).state == stack.show(second).state == "succeeded"
    assert kinds(stack.show(second)) == ["release_command", "deploy", "health_check", "drain"]
    third = stack.deploy(source=CURRENT, config={"release_command": None}).number
    fourth = stack.deploy(image=NEXT).number
    assert "release_command" in kinds(stack.show(fourth))
    stack.drive()
    assert stack.show(third).state == stack.show(fourth).state == "succeeded"
    assert "release_command" not in kinds(stack.show(fourth))


HOOKS = {"hooks": {"pre_build": {"command": ["before"]}, "post_deploy": {"command": ["after"]}}}


def test_hooks_run_before_the_build_in_the_live_image_and_after_the_success_in_the_new_one(stack):
    stack.create(config=HOOKS)
    stack.deploy()
    stack.drive()
    assert stack.show(1).state == "succeeded"
    assert "nothing is live yet" in stack.log(1)
    live = stack.engine.find("longshore.hello.g1.web.1").image_id
    stack.deploy()
    stack.drive()
    assert kinds(stack.show(2)) == ["pre_build", "build", "push", "deploy", "health_check", "post_deploy", "drain"]
    new = stack.engine.find("longshore.hello.g2.web.1").image_id
    ran = [(spec.command[0], spec.image_id) for spec in stack.engine.ran]
    assert ran[1:] == [("before", live), ("after", new)]


def test_a_pre_build_that_fails_fails_the_deployment_and_nothing_is_built(stack):
    stack.create(config=HOOKS)
    stack.builder.behaviour = Behaviour(endings={"before": (1,)})
    stack.deploy()
    stack.drive()
    built = list(stack.engine.built)
    stack.deploy()
    stack.drive()
    assert (stack.show(2).state, stack.show(2).error.code) == ("failed", "pre_build_failed")
    assert stack.engine.built == built


def test_a_post_deploy_that_fails_takes_no_success_back_and_does_not_hold_the_app(stack):
    stack.create(config=HOOKS)
    stack.builder.behaviour = Behaviour(endings={"after": (75, 1)})
    stack.deploy()
    stack.drive()
    assert stack.show(1).state == "succeeded"
    assert stack.job(1, "post_deploy").waiting == "not now, said the post_deploy hook; next try in 30 s"
    stack.deploy(config={"hooks": {"post_deploy": None}})
    stack.drive()
    assert stack.show(2).state == "succeeded"
    stack.run_on(40)
    job = stack.job(1, "post_deploy")
    assert (stack.show(1).state, job.state, job.error.code) == ("succeeded", "failed", "post_deploy_failed")
