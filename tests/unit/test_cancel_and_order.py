"""Cancelling at every point, rolling back, and who gives way to whom."""

import pytest

from longshore.domain.states import Trigger
from longshore.errors import ConflictError, NotFoundError
from longshore.models import App, Deployment
from longshore.services import deployments, jobs
from longshore.services.asked import NewDeployment
from longshore.testing import Behaviour

CURRENT = {"current": True}


@pytest.fixture
def app(stack):
    stack.create()
    return stack


@pytest.fixture
def live(app):
    """With release 1 in service."""
    app.deploy()
    app.drive()
    assert app.show(1).state == "succeeded"
    return app


def states(stack, *numbers: int) -> list[str]:
    return [stack.show(number).state for number in numbers]


def keep_all(stack, name: str = "hello") -> None:
    with stack.db.write() as session:
        session.query(App).filter(App.name == name).one().queue = "all"


# Cancel


def test_a_queued_deployment_is_cancelled_at_once_and_the_next_begins(app):
    app.deploy()
    app.deploy(source=CURRENT)
    app.queue.lose_all()
    view = app.cancel(1)
    assert (view.state, view.cancel.effect, view.cancel.meaning) == (
        "cancelled",
        "at_once",
        "hello#1 had not begun: it is cancelled",
    )
    assert view.cancel.acknowledged_at == view.cancel.asked_at == view.ended_at
    assert {job.state for job in view.jobs} == {"skipped"}
    assert [message.label for message in app.queue.messages] == ["hello#2"]


def test_a_build_is_stopped_and_nothing_of_it_stays(app):
    app.deploy()
    asked = []

    def ask() -> None:
        asked.append(app.cancel(1))
        app.clock.sleep(1)

    app.builder.meanwhile = ask
    app.drive()
    view = app.show(1)
    assert (asked[0].state, asked[0].cancel.effect, asked[0].cancel.acknowledged_at) == ("running", "stops", None)
    assert (view.state, view.error, view.release) == ("cancelled", None, None)
    assert view.cancel.acknowledged_at > view.cancel.asked_at
    assert [(job.kind, job.state) for job in view.jobs] == [
        ("build", "cancelled"),
        ("push", "skipped"),
        ("deploy", "skipped"),
        ("health_check", "skipped"),
        ("drain", "succeeded"),
    ]
    assert app.builder.cancelled == 1
    assert app.engine.find_image("127.0.0.1:5001/hello:1") is None


def test_an_image_that_was_built_but_not_yet_known_is_taken_away(app):
    app.deploy()
    build = jobs.claim(app.worker, app.ring("build"))
    app.engine.build("127.0.0.1:5001/hello:1", Behaviour(), ())
    app.cancel(1)
    jobs._give_up(build)
    app.drive()
    assert states(app, 1) == ["cancelled"]
    assert app.engine.find_image("127.0.0.1:5001/hello:1") is None


@pytest.mark.parametrize("kind", ["push", "deploy", "health_check"])
def test_up_to_the_switch_new_replicas_are_undone_and_the_old_ones_serve_on(live, kind):
    live.deploy()
    step = {"build": "build", "push": "push", "deploy": "deploy"}
    for before in step:
        if before == kind:
            break
        jobs.run(live.worker, live.ring(before))
    work = jobs.claim(live.worker, live.ring(kind))
    assert live.cancel(2).cancel.effect == "stops"
    assert not work.holds()
    jobs._give_up(work)
    live.drive()
    assert states(live, 2) == ["cancelled"]
    assert list(live.engine.standing) == ["longshore.hello.g1.web.1"]
    (route,) = live.router.table
    assert [server.name for server in route.servers[route.live]] == ["g1.web.1"]
    live.deploy()
    live.drive()
    assert states(live, 3) == ["succeeded"]


def test_a_switch_that_has_begun_finishes_and_says_so(live):
    probe, asked = live.router.probe, []

    def probe_and_cancel(*given):
        if not asked:
            asked.append(live.cancel(2))
        return probe(*given)

    live.router.probe = probe_and_cancel
    live.deploy()
    live.drive()
    view = asked[0]
    assert (view.cancel.effect, view.cancel.meaning) == (
        "finishes",
        "hello#2 has begun to switch traffic: it finishes",
    )
    assert view.cancel.acknowledged_at == view.cancel.asked_at
    assert states(live, 2) == ["succeeded"]


def test_a_failed_deployment_that_is_cleaned_up_stays_failed(app):
    app.builder.behaviour = Behaviour(exit_code=3)
    app.deploy()
    for kind in ("build", "push", "deploy", "health_check"):
        jobs.run(app.worker, app.ring(kind))
    view = app.cancel(1)
    assert view.cancel.meaning == "hello#1 has failed already: it is being cleaned up"
    app.drive()
    assert states(app, 1) == ["failed"]


def test_asking_again_changes_nothing(app):
    app.deploy()
    work = jobs.claim(app.worker, app.ring("build"))
    first = app.cancel(1)
    app.clock.sleep(5)
    assert app.cancel(1).cancel == first.cancel
    jobs._give_up(work)
    app.drive()
    assert app.events(1).count("deployment.cancel_asked") == 1


@pytest.mark.parametrize("broken", [False, True])
def test_what_has_ended_cannot_be_cancelled(app, broken):
    app.builder.behaviour = Behaviour(exit_code=1 if broken else None)
    app.deploy()
    app.drive()
    with pytest.raises(ConflictError, match="ended already") as refused:
        app.cancel(1)
    assert refused.value.code == "ended"


def test_a_number_that_is_not_there_cannot_be_cancelled(app):
    with pytest.raises(NotFoundError):
        app.cancel(7)


def test_a_job_that_waits_for_a_retry_is_cancelled_without_a_worker(app):
    app.registry.down = True
    app.deploy()
    app.drive()
    app.queue.lose_all()
    assert app.show(1).state == "running"
    app.cancel(1)
    app.drive()
    assert states(app, 1) == ["cancelled"]
    assert app.engine.standing == {}


def test_a_cancel_that_meets_an_error_while_stopping_is_still_a_cancel(app):
    app.deploy()
    work = jobs.claim(app.worker, app.ring("build"))
    app.cancel(1)
    jobs._fail(work, ConflictError("the stream was cut"))
    app.drive()
    assert (app.show(1).state, app.show(1).error) == ("cancelled", None)


# Order


def test_an_app_that_wants_all_gets_all(app):
    keep_all(app)
    for _ in range(4):
        app.deploy()
    app.drive()
    assert states(app, 1, 2, 3, 4) == ["succeeded"] * 4


def test_waiting_changes_of_configuration_become_one(live):
    live.deploy()
    first = live.deploy(
        source=CURRENT, config={"replicas": 2, "resources": {"memory": "64m"}}, env={"A": "1", "B": "1"}
    )
    again = live.deploy(source=CURRENT, config={"resources": {"memory": None, "cpus": 1}}, env={"B": None, "C": "3"})
    assert (first.number, again.number) == (3, 3)
    assert live.events(3) == ["deployment.queued", "deployment.joined"]
    live.drive()
    assert states(live, 2, 3) == ["succeeded", "succeeded"]
    spec = live.engine.specs["longshore.hello.g3.web.2"]
    assert (spec.env, spec.resources.cpus, spec.resources.memory) == ({"PORT": "80", "A": "1", "C": "3"}, 1, None)


def test_a_change_after_a_waiting_source_does_not_jump_before_it(live):
    live.deploy(source=CURRENT, env={"A": "1"})
    live.deploy()
    assert live.deploy(source=CURRENT, env={"A": "3"}).number == 4


def test_a_change_takes_what_is_live_when_it_begins(live):
    live.deploy(env={"A": "of the source"})
    live.deploy(source=CURRENT, env={"B": "of the change"})
    live.drive()
    assert live.engine.specs["longshore.hello.g3.web.1"].env == {
        "PORT": "80",
        "A": "of the source",
        "B": "of the change",
    }
    assert (
        live.engine.specs["longshore.hello.g3.web.1"].image_id == live.engine.specs["longshore.hello.g2.web.1"].image_id
    )


def by_rule(stack, **facts):
    new = NewDeployment(facts.pop("source", CURRENT), Trigger.AUTO, "crashed", **facts)
    return deployments.create(stack.services, "hello", new)


def test_a_rule_stands_back_when_a_person_waits(live):
    live.deploy()
    with pytest.raises(ConflictError, match="not now: hello#2 is waiting"):
        by_rule(live)
    assert [one.number for one in deployments.show_all(live.services, "hello", limit=9, cursor=None).items] == [2, 1]


def test_what_a_rule_asked_for_gives_way_to_a_person(live):
    waiting = by_rule(live)
    asked = live.deploy(source=CURRENT, env={"A": "1"})
    assert (asked.number, live.show(waiting.number).superseded_by) == (3, "hello#3")
    live.drive()
    assert states(live, 2, 3) == ["superseded", "succeeded"]


def test_a_rule_waits_for_what_runs(live):
    live.deploy()
    jobs.run(live.worker, live.ring("build"))
    assert by_rule(live).state == "queued"
    live.drive()
    assert states(live, 2, 3) == ["succeeded", "succeeded"]


# Rollback


@pytest.fixture
def second(live):
    """With release 2 in service, release 1 before it."""
    live.deploy(env={"MODE": "second"})
    live.drive()
    return live


def image_of(stack, generation: int) -> str:
    return stack.engine.specs[f"longshore.hello.g{generation}.web.1"].image_id


def test_back_to_the_last_good_release_with_its_image_and_configuration(second):
    view = second.roll_back()
    second.drive()
    assert second.show(view.number).release == 1
    assert image_of(second, 3) == image_of(second, 1) != image_of(second, 2)
    assert second.engine.specs["longshore.hello.g3.web.1"].env == {"PORT": "80"}
    assert [job.kind for job in view.jobs] == ["deploy", "health_check", "drain"]


def test_a_rollback_cancels_a_build_and_supersedes_what_waits(second):
    second.deploy()
    build = jobs.claim(second.worker, second.ring("build"))
    second.deploy()
    second.deploy(source=CURRENT, env={"A": "1"})
    view = second.roll_back()
    assert [second.show(n).superseded_by for n in (4, 5)] == [view.id, view.id]
    assert second.show(3).cancel.effect == "stops"
    jobs._give_up(build)
    second.drive()
    assert states(second, 3, 6) == ["cancelled", "succeeded"]
    assert list(second.engine.standing) == ["longshore.hello.g4.web.1"]


def test_a_rollback_waits_for_a_switch(second):
    probe, asked = second.router.probe, []

    def probe_and_roll_back(*given):
        if not asked:
            asked.append(second.roll_back(1))
        return probe(*given)

    second.router.probe = probe_and_roll_back
    second.deploy()
    second.drive()
    assert states(second, 3, 4) == ["succeeded", "succeeded"]
    assert second.show(3).cancel is None
    assert second.show(4).release == 1


def test_there_must_be_something_to_go_back_to(app):
    with pytest.raises(ConflictError, match="no live release"):
        app.roll_back()
    app.deploy()
    app.drive()
    with pytest.raises(ConflictError, match="was ever in service"):
        app.roll_back()
    with pytest.raises(ConflictError, match="live already"):
        app.roll_back(1)
    with pytest.raises(NotFoundError):
        app.roll_back(9)
    with app.db.read() as session:
        assert session.query(Deployment).count() == 1


def test_a_release_that_never_served_is_no_good_one(second):
    second.builder.behaviour = Behaviour(exit_code=1)
    second.deploy()
    second.drive()
    second.builder.behaviour = Behaviour()
    second.deploy()
    second.drive()
    assert second.show(second.roll_back().number).source == {"release": 2}
