"""Environment, scale and restart as deployments; the plan and its hash; what can be gone back to; images let go."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from longshore.adapters.secret_box import FernetBox, new_key
from longshore.domain.states import Trigger
from longshore.errors import ConflictError, NotFoundError
from longshore.models import Event, Release
from longshore.services import environment, planning, releases, rollbacks, scaling, sweeps
from longshore.services.asked import RESTART, NewDeployment
from longshore.services.rollbacks import NewRollback


@pytest.fixture
def live(stack):
    """An app with a release, and two variables."""
    stack.create(env={"A": "1", "B": "2"})
    stack.deploy()
    stack.drive()
    return stack


def env_of(stack) -> dict[str, str]:
    return environment.reveal(stack.services, "hello", "ann").values


def release(stack, number: int) -> Release:
    with stack.db.read() as session:
        return session.scalars(select(Release).where(Release.number == number)).one()


def set_release(stack, number: int, **facts) -> None:
    with stack.db.write() as session:
        row = session.scalars(select(Release).where(Release.number == number)).one()
        for name, value in facts.items():
            setattr(row, name, value)


# Environment, scale, restart


def test_a_whole_environment_replaces_what_is_there_and_what_is_on_its_way(live):
    live.deploy(env={"C": "3"})
    live.reconfigure({}, env={"B": "two"}, whole_env=True)
    live.drive()
    assert env_of(live) == {"B": "two"}
    assert live.releases()[3].env_keys == ["B"]


def test_a_whole_environment_is_only_declared_before_the_first_release(stack):
    stack.create(env={"A": "1"})
    view = stack.reconfigure({}, env={"B": "2"}, whole_env=True)
    assert view.env_keys == ["B"]
    assert env_of(stack) == {"B": "2"}


def test_who_looks_at_values_is_remembered(live):
    assert environment.show(live.services, "hello").values is None
    assert env_of(live) == {"A": "1", "B": "2"}
    with live.db.read() as session:
        event = session.scalars(select(Event).where(Event.kind == "env.revealed")).one()
    assert event.facts == {"actor": "ann", "keys": ["A", "B"]}


def test_a_change_of_the_environment_that_breaks_the_app_leaves_the_old_one(live):
    old = live.router.led_to("hello")[-1]
    live.engine.images[live.releases()[1].image_id] = replace(
        live.engine.images[live.releases()[1].image_id],
        behaviour=replace(live.engine.images[live.releases()[1].image_id].behaviour, exit_code=3),
    )
    live.reconfigure({}, env={"A": "broken"})
    live.drive()
    assert live.show(2).state == "failed"
    assert env_of(live) == {"A": "1", "B": "2"}
    assert live.router.led_to("hello")[-1] == old


def test_a_restart_replaces_the_replicas_and_makes_no_release(live):
    live.reconfigure({}, source=RESTART)
    live.drive()
    assert (live.show(2).state, live.show(2).release) == ("succeeded", 1)
    assert list(live.engine.standing) == ["longshore.hello.g2.web.1"]
    assert list(live.releases()) == [1]
    assert len(live.builder.requests) == 1


def test_a_restart_and_a_change_do_not_become_one(live):
    live.deploy()
    restart = live.deploy(source=RESTART)
    assert live.deploy(source=RESTART).number == restart.number
    change = live.reconfigure({}, env={"A": "2"})
    assert change.number == restart.number + 1
    live.drive()
    assert env_of(live)["A"] == "2"


def test_nothing_is_restarted_where_nothing_runs(stack):
    stack.create()
    for ask in (lambda: stack.deploy(source=RESTART), lambda: stack.plan(source=RESTART)):
        with pytest.raises(ConflictError) as caught:
            ask()
        assert caught.value.code == "nothing_live"


def test_scaling_names_the_place_where_the_number_is_said(stack):
    stack.create(config={"processes": {"web": {}, "worker": {"replicas": 1}}})
    assert scaling.patch(stack.services, "hello", {"web": 3}) == {"replicas": 3}
    assert scaling.patch(stack.services, "hello", {"worker": 2}) == {"processes": {"worker": {"replicas": 2}}}
    stack.reconfigure({"processes": {"web": {"replicas": 2}}})
    assert scaling.patch(stack.services, "hello", {"web": 3}) == {"processes": {"web": {"replicas": 3}}}
    with pytest.raises(NotFoundError, match="no process mailer"):
        scaling.patch(stack.services, "hello", {"mailer": 1})


# The plan


def test_a_plan_says_what_would_change_and_does_nothing(live):
    plan = live.plan(config={"replicas": 2}, env={"A": "hunter2-hunter2", "B": None, "C": "new"})
    assert [job.kind for job in plan.jobs] == ["deploy", "health_check", "drain"]
    assert (plan.config["replicas"].old, plan.config["replicas"].new) == (1, 2)
    assert plan.env["B"].new is None
    assert plan.env["C"].old is None
    assert "hunter2" not in plan.model_dump_json()
    assert plan.image.old == plan.image.new
    assert len(live.releases()) == 1
    with pytest.raises(NotFoundError):
        live.show(2)


def test_equal_values_have_different_marks_under_different_names_and_keys(live):
    plan = live.plan(env={"C": "same", "D": "same"})
    assert plan.env["C"].new != plan.env["D"].new
    other = replace(live.services, box=FernetBox([new_key()]))
    assert other.box.mark("x") != live.box.mark("x") == live.box.mark("x")


def test_a_plan_names_what_waits_and_what_would_give_way(live):
    live.deploy()
    live.drive()
    running = live.deploy()
    live.do_next(live.worker)
    waiting = live.deploy()
    plan = live.plan(source={"image": "nginx:1"})
    assert plan.supersedes == [waiting.id]
    assert plan.waits_for == [f"{running.id}, which is running"]
    back = rollbacks.plan(live.services, "hello", NewRollback(Trigger.API, "ann"))
    assert (back.supersedes, back.cancels) == ([waiting.id], [running.id])


def test_why_a_recreate_recreates(live):
    plan = live.plan(config={"volumes": {"rows": {"path": "/rows"}}})
    assert plan.strategy.kind == "recreate"
    assert "rows" in plan.strategy.reason
    assert "nothing answers" in plan.strategy.stages[0]
    assert live.plan().strategy.reason is None


def test_what_was_planned_is_done_when_the_world_is_the_same(live):
    planned = live.plan(env={"A": "2"}).plan_hash
    assert live.reconfigure({}, env={"A": "2"}, plan_hash=planned).number == 2


@pytest.mark.parametrize("asked", [{"env": {"A": "2"}}, {"config": {"replicas": 2}}, {"source": {"image": "nginx:1"}}])
def test_what_was_planned_is_refused_when_the_world_has_changed(live, asked):
    planned = live.plan(**asked).plan_hash
    assert live.plan(**asked).plan_hash == planned
    live.reconfigure({}, env={"Z": "new"})
    live.drive()
    with pytest.raises(ConflictError) as caught:
        live.deploy(**{"source": {"current": True}, **asked}, plan_hash=planned)
    assert caught.value.code == "plan_changed"


def test_another_request_than_the_planned_one_is_refused(live):
    planned = live.plan(env={"A": "2"}).plan_hash
    with pytest.raises(ConflictError):
        live.reconfigure({}, env={"A": "3"}, plan_hash=planned)


def test_a_plan_before_the_first_release_says_that_it_is_only_declared(stack):
    stack.create()
    plan = stack.plan(config={"replicas": 2})
    assert (plan.declared_only, plan.jobs, plan.live) == (True, [], None)
    assert stack.reconfigure({"replicas": 2}, plan_hash=plan.plan_hash).replicas == 2


# Going back


@pytest.fixture
def thrice(live):
    """Three releases, the third live."""
    for value in ("2", "3"):
        live.reconfigure({"replicas": int(value)}, env={"A": value})
        live.drive()
    return live


def test_a_rollback_names_what_changes_and_never_a_value(thrice):
    view = thrice.roll_back(1)
    assert view.changes.model_dump() == {
        "config": ["replicas"],
        "env": {"added": [], "changed": ["A"], "removed": []},
    }
    assert "rollback.changes" in thrice.events(view.number)
    thrice.drive()
    assert env_of(thrice) == {"A": "1", "B": "2"}


def test_a_blocked_release_is_refused_with_the_reason_and_passed_over(thrice):
    view = releases.block(thrice.services, "hello", 2, "loses orders", "ann")
    assert (view.rollback.possible, view.rollback.why) == (False, "ann marked it: loses orders")
    for ask in (lambda: thrice.roll_back(2), lambda: thrice.deploy(source={"release": 2})):
        with pytest.raises(ConflictError, match="loses orders") as caught:
            ask()
        assert caught.value.code == "release_blocked"
    assert thrice.roll_back().release == 1
    assert releases.unblock(thrice.services, "hello", 2, "ann").rollback.possible


def test_releases_say_whether_one_can_go_back(thrice):
    set_release(thrice, 1, on_host=False, digest=None)
    shown = thrice.releases()
    assert (shown[3].rollback.possible, shown[3].rollback.why) == (False, "it is live")
    assert shown[2].rollback.possible
    assert "not on this host" in shown[1].rollback.why
    with pytest.raises(ConflictError) as caught:
        thrice.roll_back(1)
    assert caught.value.code == "image_gone"


def test_an_image_the_registry_has_can_be_gone_back_to(thrice):
    set_release(thrice, 1, on_host=False)
    assert thrice.releases()[1].rollback.possible


def test_an_environment_that_no_key_opens_is_told_and_refused(thrice):
    set_release(thrice, 1, env=FernetBox([new_key()]).seal({"A": "lost"}))
    assert "cannot be decrypted" in thrice.releases()[1].rollback.why
    assert thrice.releases()[1].env_keys == []
    with pytest.raises(ConflictError) as caught:
        thrice.roll_back(1)
    assert caught.value.code == "wrong_key"
    thrice.roll_back(2)
    thrice.drive()
    with pytest.raises(ConflictError) as caught:
        thrice.roll_back()
    assert caught.value.code == "nothing_before"


def test_a_rollback_that_was_planned_is_refused_after_another_one(thrice):
    planned = rollbacks.plan(thrice.services, "hello", NewRollback(Trigger.API, "ann", 1)).plan_hash
    thrice.roll_back(2)
    thrice.drive()
    with pytest.raises(ConflictError) as caught:
        thrice.roll_back(1, plan_hash=planned)
    assert caught.value.code == "plan_changed"


# Images


def many(stack, count: int) -> None:
    for _ in range(count):
        stack.deploy()
        stack.drive()


def test_what_is_older_than_the_newest_is_let_go_and_says_so(live):
    live.settle(releases_kept=2)
    many(live, 3)
    sweeps.clean(live.worker)
    shown = live.releases()
    assert live.engine.find_image(shown[1].image) is None
    assert live.engine.find_image(shown[3].image) is not None
    assert shown[1].rollback.possible  # the registry has it
    set_release(live, 1, digest=None)
    assert live.releases()[1].rollback.why == "its image was removed: more than 2 releases ago"


def test_what_runs_or_is_gone_back_to_keeps_its_image(live):
    live.settle(releases_kept=1)
    many(live, 1)
    live.roll_back(1)
    sweeps.clean(live.worker)
    assert live.engine.find_image(live.releases()[1].image) is not None
    live.drive()
    many(live, 1)
    sweeps.clean(live.worker)
    assert live.engine.find_image(live.releases()[1].image) is None


def test_an_image_that_newer_releases_share_stays(live):
    live.settle(releases_kept=1)
    live.reconfigure({}, env={"A": "2"})
    live.drive()
    sweeps.clean(live.worker)
    assert release(live, 1).let_go_at is not None
    assert live.engine.find_image(live.releases()[2].image) is not None
    assert live.releases()[1].rollback.possible


def test_an_image_of_somebody_else_is_never_let_go(stack):
    stack.settle(releases_kept=1)
    stack.engine.publish("nginx:1", ports=(80,))
    stack.create()
    stack.deploy(image="nginx:1")
    stack.drive()
    many(stack, 1)
    sweeps.clean(stack.worker)
    assert stack.engine.find_image("nginx:1") is not None
    assert release(stack, 1).on_host is True


def test_an_image_that_was_taken_away_by_hand_is_noticed(live):
    sweeps.clean(live.worker)
    assert release(live, 1).on_host is True
    many(live, 1)
    live.engine.forget_image(live.releases()[1].image)
    sweeps.clean(live.worker)
    assert release(live, 1).on_host is False


def test_a_plan_of_an_upload_needs_no_upload(live):
    new = NewDeployment({"upload": ""}, Trigger.CLI, "ann")
    plan = planning.show(live.services, "hello", new)
    assert plan.image.new == "built from the upload"
    sent = replace(new, source={"upload": "u1", "name": "x.tar"}, plan_hash=plan.plan_hash)
    with live.db.write() as session:
        from longshore.services import apps

        planning.refuse_changed(live.services, session, apps.lock(session, "hello"), sent)
