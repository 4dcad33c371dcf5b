"""Rollouts over fakes: who serves at each stage, what is held and judged, and what becomes of it when it goes wrong."""

import pytest

from longshore.domain.ports import Counters
from longshore.services import sweeps
from longshore.testing import Behaviour

TWO = {"replicas": 2}


def table(stack, app: str = "hello"):
    """What the router does with the requests of an app: the live slot, the share of the other, servers by slot."""
    (route,) = [one for one in stack.router.table if one.app == app]
    stands = {slot: [one.name for one in servers if not one.draining] for slot, servers in route.servers.items()}
    return route.live, route.share, stands


def served(stack, config=None, **strategy):
    """An app whose first release serves, and whose next ones go by a strategy."""
    stack.create(config={**({"strategy": strategy} if strategy else {}), **(config or {})})
    stack.deploy()
    stack.drive()
    assert stack.show(1).state == "succeeded"
    return stack


def wait(stack, seconds: float) -> None:
    """Time goes by, and the judge looks once a second."""
    for _ in range(int(seconds)):
        stack.clock.sleep(1)
        sweeps.judge(stack.worker)
        stack.drive()


def events(stack, number: int, prefix: str) -> list[str]:
    return [kind for kind in stack.events(number) if kind.startswith(prefix)]


@pytest.fixture
def canary(stack):
    """The second release has a tenth of the requests, for 30 s."""
    served(stack, TWO, kind="canary", steps=[10, 100], hold=30)
    stack.deploy()
    stack.drive()
    assert table(stack) == ("a", 100, {"a": ["g1.web.1", "g1.web.2"], "b": ["g2.web.1", "g2.web.2"]})
    return stack


@pytest.fixture
def soaking(stack):
    """The second release has all requests, and is watched for 30 s."""
    served(stack, {"soak": 30})
    stack.deploy()
    stack.drive()
    assert table(stack) == ("b", 0, {"a": ["g1.web.1"], "b": ["g2.web.1"]})
    return stack


def test_a_canary_takes_its_shares_one_after_the_other(canary):
    view = canary.show(2)
    assert (view.state, view.phase) == ("running", "soaking")
    assert "10 % of the requests" in view.why
    wait(canary, 29)
    assert canary.show(2).phase == "soaking"
    wait(canary, 1)
    assert table(canary)[:2] == ("b", 0)
    assert canary.show(2).state == "running"
    wait(canary, 30)
    assert canary.show(2).state == "succeeded"
    assert table(canary) == ("b", 0, {"a": [], "b": ["g2.web.1", "g2.web.2"]})


def test_a_hold_costs_no_attempt_and_no_worker(canary):
    assert canary.job(2, "health_check").state == "queued"
    assert canary.worker.shift.wait(0)
    wait(canary, 60)
    assert canary.job(2, "health_check").attempt == 1


def test_messages_that_come_during_a_hold_change_nothing(canary):
    sweeps.dispatch(canary.worker, at_once=True)
    canary.drive()
    assert (canary.show(2).phase, table(canary)[:2]) == ("soaking", ("a", 100))


def test_a_worse_canary_loses_its_requests_at_once_and_says_why(canary):
    for look in range(1, 4):
        assert canary.show(2).state == "running"
        canary.router.counted["hello", "a"] = Counters(1000 * look, 0, 0.01)
        canary.router.counted["hello", "b"] = Counters(100 * look, 50 * look, 0.01)
        sweeps.judge(canary.worker)
    assert table(canary)[:2] == ("a", 0)
    canary.drive()
    view = canary.show(2)
    assert (view.state, view.error.code, view.error.fault, view.reverted_to) == ("failed", "worse", "app", 1)
    assert "of its requests failed, against 0.0% before; traffic went back to release 1" in view.error.message
    assert table(canary) == ("a", 0, {"a": ["g1.web.1", "g1.web.2"], "b": []})


def test_two_bad_looks_are_no_reason_yet(canary):
    for look in (1, 2):
        canary.router.counted["hello", "b"] = Counters(100 * look, 100 * look, 0.01)
        sweeps.judge(canary.worker)
    canary.router.counted["hello", "b"] = Counters(10_000, 200, 0.01)
    wait(canary, 60)
    assert canary.show(2).state == "succeeded"


def test_a_replica_that_dies_while_it_is_watched_ends_it(soaking):
    soaking.engine.die("longshore.hello.g2.web.1", 3)
    sweeps.judge(soaking.worker)
    assert table(soaking)[0] == "a"
    soaking.drive()
    view = soaking.show(2)
    assert (view.state, view.reverted_to) == ("failed", 1)
    assert "longshore.hello.g2.web.1 exited with code 3" in view.error.message
    assert list(soaking.engine.standing) == ["longshore.hello.g1.web.1"]


def test_a_soak_ends_well_when_nothing_happens(soaking):
    wait(soaking, 30)
    assert (soaking.show(2).state, table(soaking)[0]) == ("succeeded", "b")
    assert list(soaking.engine.standing) == ["longshore.hello.g2.web.1"]


def test_a_soak_ends_early_when_a_newer_deployment_wants_to_start(soaking):
    soaking.deploy()
    soaking.drive()
    wait(soaking, 1)
    assert soaking.show(2).state == "succeeded"
    assert (soaking.show(3).phase, table(soaking)[0]) == ("soaking", "a")


def test_what_is_watched_can_be_cancelled_and_gives_everything_back(soaking):
    view = soaking.cancel(2)
    assert view.cancel.effect == "stops"
    soaking.drive()
    assert (soaking.show(2).state, table(soaking)[0]) == ("cancelled", "a")
    assert list(soaking.engine.standing) == ["longshore.hello.g1.web.1"]


def test_going_back_while_a_release_is_watched_means_back_from_that_one(soaking):
    view = soaking.roll_back()
    assert view.release == 1
    soaking.drive()
    assert [soaking.show(number).state for number in (2, 3)] == ["cancelled", "succeeded"]
    assert list(soaking.engine.standing) == ["longshore.hello.g3.web.1"]


def test_a_clock_set_back_does_not_make_a_hold_last_for_ever(soaking):
    soaking.clock.jump(-7200)
    wait(soaking, 1)
    assert soaking.show(2).state == "succeeded"


def test_a_first_release_has_nothing_to_be_compared_with(stack):
    served(stack, {"soak": 30}, kind="canary", hold=30)
    assert stack.show(1).state == "succeeded"


def test_rolling_goes_replica_by_replica_and_keeps_the_old_ones_at_hand(stack):
    served(stack, {"replicas": 3}, kind="rolling")
    stack.deploy()
    stack.drive()
    assert stack.show(2).state == "succeeded"
    assert events(stack, 2, "route.") == ["route.shared", "route.shared", "route.switched"]
    assert events(stack, 1, "replica.")[3:6] == ["replica.resting"] * 3
    assert list(stack.engine.standing) == [f"longshore.hello.g2.web.{slot}" for slot in (1, 2, 3)]


def test_rolling_stops_at_the_first_bad_replica_and_the_old_ones_stand_again(stack):
    served(stack, {"replicas": 3}, kind="rolling")
    after_start(stack, lambda name: stack.engine.die(name) if name.endswith("g2.web.2") else None)
    stack.deploy()
    stack.drive()
    assert (stack.show(2).state, stack.show(2).error.code) == ("failed", "exited")
    assert ("start", "longshore.hello.g2.web.3") not in stack.engine.calls
    assert table(stack) == ("a", 0, {"a": ["g1.web.1", "g1.web.2", "g1.web.3"], "b": []})
    assert all(stack.engine.find(name).running for name in stack.engine.standing)


def test_recreate_stops_the_old_before_the_new_starts(stack):
    served(stack, {"volumes": {"data": {"path": "/data"}}})
    beside = []
    after_start(stack, lambda name: beside.append(_running(stack)))
    stack.deploy()
    stack.drive()
    assert stack.show(2).state == "succeeded"
    assert beside == [["longshore.hello.g2.web.1"]]


def test_a_recreate_that_fails_brings_the_old_one_back(stack):
    served(stack, kind="recreate")
    stack.builder.behaviour = Behaviour(exit_code=1)
    stack.deploy()
    stack.drive()
    assert stack.show(2).state == "failed"
    assert table(stack) == ("a", 0, {"a": ["g1.web.1"], "b": []})
    assert _running(stack) == ["longshore.hello.g1.web.1"]


def test_a_soak_of_a_rolling_release_that_gets_worse_has_its_old_replicas_back_before_they_serve(stack):
    served(stack, {"soak": 30}, kind="rolling")
    stack.deploy()
    stack.drive()
    assert _running(stack) == ["longshore.hello.g2.web.1"]
    stack.engine.die("longshore.hello.g2.web.1")
    sweeps.judge(stack.worker)
    stack.drive()
    assert table(stack) == ("a", 0, {"a": ["g1.web.1"], "b": []})
    assert _running(stack) == ["longshore.hello.g1.web.1"]


def after_start(stack, then) -> None:
    """Something happens to every container that has just been started."""
    start = stack.engine.start

    def start_and_then(spec):
        container = start(spec)
        then(spec.name)
        return container

    stack.engine.start = start_and_then


def _running(stack) -> list[str]:
    return [name for name in stack.engine.standing if stack.engine.find(name).running]
