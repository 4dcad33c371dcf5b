"""Locks: what they hold back, what passes them, whose they are, and how they end."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from longshore.errors import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from longshore.models import Event, Replica
from longshore.services import apps, deployments, jobs, locks, parts, sweeps
from longshore.services.locks import NewLock
from longshore.services.tokens import Caller, Scope

CI = Caller("ci", Scope.DEPLOY, None, "1")
ANNA = Caller("anna", Scope.DEPLOY, None, "2")
BOSS = Caller("boss", Scope.ADMIN, None, "3")


@pytest.fixture
def app(stack):
    """The app hello, served, in whose line nothing gives way; every part was seen well."""
    parts.check(stack.worker)
    stack.create(queue="all")
    stack.deploy()
    stack.drive()
    return stack


def lock(stack, caller=CI, *, seconds: float | None = None, **facts):
    until = stack.clock.now() + timedelta(seconds=seconds) if seconds else None
    return locks.lock(stack.services, "hello", NewLock(**{"reason": "freeze", "until": until, **facts}), caller).lock


def unlock(stack, caller=CI):
    return locks.unlock(stack.services, "hello", caller)


def forced(stack):
    """A deployment of an older release that no lock holds back."""
    return stack.deploy(source={"release": 1}, forced=True)


@pytest.fixture
def twice(app):
    """With a release to go back to."""
    app.deploy()
    app.drive()
    return app


def rung(stack) -> list[str]:
    return [m.label for m in stack.queue.messages if m.argument]


def told(stack) -> list[tuple[str, dict]]:
    with stack.services.db.read() as session:
        found = session.scalars(select(Event).where(Event.kind.in_(["app.locked", "app.unlocked"])).order_by(Event.id))
        return [(event.kind, event.facts) for event in found]


# What it refuses


def test_a_lock_refuses_new_deployments_and_says_who_why_and_what_to_do(app):
    lock(app)
    with pytest.raises(ConflictError) as caught:
        app.deploy()
    assert (caught.value.code, caught.value.message) == ("locked", "hello is locked by ci: freeze")
    assert caught.value.hint == "Ask ci to lift it: `longshore unlock hello`; an admin may, too."
    with pytest.raises(NotFoundError):
        app.show(2)


def test_a_lock_with_an_end_says_when_that_is(app):
    lock(app, seconds=7200)
    with pytest.raises(ConflictError, match="hello is locked by ci: freeze until 14:00 UTC") as caught:
        app.deploy()
    assert caught.value.hint == "Wait until then, or ask ci to lift it: `longshore unlock hello`; an admin may, too."
    lock(app, seconds=86400)
    with pytest.raises(ConflictError, match="freeze until 2026-01-02 12:00 UTC"):
        app.deploy()


def test_a_lock_refuses_a_change_of_configuration_that_would_become_a_deployment(app):
    lock(app)
    with pytest.raises(ConflictError, match="hello is locked by ci"):
        app.reconfigure({"replicas": 2})


def test_what_is_only_declared_is_no_deployment_and_stays_possible(stack):
    stack.create()
    lock(stack)
    assert stack.reconfigure({"replicas": 2}).replicas == 2
    assert apps.show(stack.services, "hello").replicas == 2


def test_a_lock_leaves_other_apps_alone(app):
    lock(app)
    app.create("other")
    app.deploy("other")
    app.drive()
    assert app.show(1, "other").state == "succeeded"


# What it holds back


@pytest.mark.parametrize("mode", ["refuse", "wait"])
def test_what_was_queued_before_the_lock_waits(app, mode):
    app.deploy()
    lock(app, mode=mode)
    app.drive()
    view = app.show(2)
    assert (view.state, view.why) == ("queued", "waits for the lock of ci: freeze")


def test_a_lock_that_lets_in_lets_what_is_new_wait(app):
    lock(app, mode="wait", seconds=7200)
    view = app.deploy()
    assert view.why == "waits for the lock of ci: freeze until 14:00 UTC"
    app.drive()
    assert app.show(2).state == "queued"
    assert app.job(2, "build").waiting == "waits for the lock of ci: freeze until 14:00 UTC"


def test_a_lock_never_stops_what_runs(app):
    app.deploy()
    app.builder.meanwhile = lambda: lock(app)
    app.drive()
    assert app.show(2).state == "succeeded"


def test_of_the_work_that_runs_the_later_jobs_begin_under_the_lock_too(app):
    app.deploy()
    jobs.run(app.worker, app.ring("build"))
    lock(app)
    assert app.show(2).why is None
    app.drive()
    assert app.show(2).state == "succeeded"


def test_a_dead_replica_is_replaced_under_a_lock(app):
    lock(app)
    app.engine.stop("longshore.hello.g1.web.1", 0)
    sweeps.reconcile(app.worker)
    assert app.engine.containers({})[0].running
    with app.services.db.read() as session:
        assert session.scalars(select(Replica.state)).all() == ["healthy"]


# What passes it


@pytest.mark.parametrize("mode", ["refuse", "wait"])
def test_a_forced_rollback_passes_the_lock(app, mode):
    lock(app, mode=mode)
    forced(app)
    app.drive()
    assert app.show(2).state == "succeeded"


def test_a_rollback_that_is_not_forced_is_refused_and_told_how_to_force_it(twice):
    lock(twice)
    with pytest.raises(ConflictError, match="hello is locked by ci: freeze") as caught:
        twice.roll_back()
    assert caught.value.code == "locked"
    assert caught.value.hint.endswith("an admin may, too. Or force it: `longshore rollback hello --force`.")
    with pytest.raises(NotFoundError):
        twice.show(3)


def test_a_rollback_that_waits_for_a_lock_stops_nothing(twice):
    twice.deploy()
    assert jobs.claim(twice.worker, twice.ring("build"))
    lock(twice, mode="wait")
    assert twice.roll_back(1).why == "waits for the lock of ci: freeze"
    assert (twice.show(3).state, twice.show(3).cancel) == ("running", None)
    assert unlock(twice).lock is None
    assert twice.show(4).why == "waits for hello#3, which is running; 1 before it"


@pytest.mark.parametrize("mode", ["refuse", "wait"])
def test_a_rollback_that_is_forced_stops_what_runs_and_goes_back(twice, mode):
    twice.deploy()
    assert jobs.claim(twice.worker, twice.ring("build"))
    lock(twice, mode=mode)
    twice.roll_back(1, force=True)
    assert twice.show(3).cancel.effect == "stops"
    assert twice.show(4).why == "waits for hello#3, which is running; 1 before it"


@pytest.mark.parametrize("mode", ["refuse", "wait"])
def test_a_rollback_that_is_forced_goes_back_under_the_lock(twice, mode):
    lock(twice, mode=mode)
    twice.roll_back(force=True)
    twice.drive()
    assert (twice.show(3).state, apps.show(twice.services, "hello").release) == ("succeeded", 1)


def test_what_runs_is_cancelled_under_a_lock(twice):
    twice.deploy()
    lock(twice)
    assert twice.cancel(3).state == "cancelled"


def test_a_forced_rollback_passes_what_the_lock_holds_back(app):
    lock(app, mode="wait")
    app.deploy()
    forced(app)
    app.drive()
    assert [app.show(n).state for n in (2, 3)] == ["queued", "succeeded"]


def test_a_forced_rollback_whose_message_was_lost_is_rung_again_though_others_wait_before_it(app):
    lock(app, mode="wait")
    app.deploy()
    forced(app)
    app.queue.lose_all()
    app.run_on(app.settings.overdue + 4)
    assert [app.show(n).state for n in (2, 3)] == ["queued", "succeeded"]


def test_without_a_lock_a_forced_rollback_waits_its_turn(app):
    app.deploy()
    forced(app)
    assert app.show(3).why == "waits for hello#2, which is queued; 1 before it"
    app.queue.messages.reverse()
    app.drive()
    assert [app.show(n).state for n in (2, 3)] == ["succeeded", "succeeded"]
    assert apps.show(app.services, "hello").release == 1  # that of the last one


def test_even_what_is_forced_waits_for_what_runs(app):
    app.deploy()
    assert jobs.claim(app.worker, app.ring("build"))
    lock(app)
    forced(app)
    assert jobs.claim(app.worker, app.ring("deploy")) is None
    assert app.show(3).why == "waits for hello#2, which is running; 1 before it"


# How it ends


def test_unlocking_rings_the_next_in_line_at_once(app):
    lock(app, mode="wait")
    app.deploy()
    app.deploy(source={"current": True})
    app.drive()
    assert unlock(app).lock is None
    assert rung(app) == ["hello#2"]
    app.drive()
    assert [app.show(n).state for n in (2, 3)] == ["succeeded", "succeeded"]


def test_a_lock_whose_time_has_passed_is_as_if_it_were_not_there(app):
    lock(app, mode="wait", seconds=60)
    app.deploy()
    app.drive()
    app.clock.sleep(59)
    assert app.show(2).waiting.reason == "lock"
    app.clock.sleep(1)
    assert apps.show(app.services, "hello").lock is None
    assert app.show(2).waiting is None or app.show(2).waiting.reason != "lock"
    assert app.job(2, "build").waiting != "waits for the lock of ci: freeze"


def test_dispatch_notices_that_the_time_of_a_lock_has_passed(app):
    lock(app, mode="wait", seconds=60)
    app.deploy()
    app.run_on(58)
    assert app.show(2).state == "queued"
    app.run_on(app.settings.overdue + 4)
    assert app.show(2).state == "succeeded"


def test_a_new_deployment_is_accepted_when_the_time_has_passed(app):
    lock(app, seconds=60)
    app.clock.sleep(60)
    app.deploy()
    app.drive()
    assert app.show(2).state == "succeeded"


@pytest.mark.parametrize("seconds", [-1, 0.0, 367 * 86400])
def test_an_end_that_cannot_be_is_refused(app, seconds):
    until = app.clock.now() + timedelta(seconds=seconds)
    with pytest.raises(UnprocessableError) as caught:
        locks.lock(app.services, "hello", NewLock("freeze", until=until), CI)
    assert caught.value.code == "bad_until"
    assert apps.show(app.services, "hello").lock is None


def test_an_end_without_a_zone_is_refused(app):
    until = (app.clock.now() + timedelta(hours=1)).replace(tzinfo=None)
    with pytest.raises(UnprocessableError):
        locks.lock(app.services, "hello", NewLock("freeze", until=until), CI)


# Whose it is


def test_a_lock_is_shown_with_its_owner(app):
    shown = lock(app, mode="wait", seconds=60)
    now = app.clock.now()
    assert shown.model_dump() == {
        "reason": "freeze",
        "mode": "wait",
        "owner": "ci",
        "since": now,
        "until": now + timedelta(seconds=60),
    }


def test_its_owner_changes_it_and_it_holds_since_it_began(app):
    began = lock(app).since
    app.clock.sleep(60)
    changed = lock(app, reason="fair", mode="wait")
    assert (changed.reason, changed.mode, changed.since, changed.until) == ("fair", "wait", began, None)


def test_nobody_else_changes_it_but_an_admin_who_owns_it_then(app):
    began = lock(app).since
    app.clock.sleep(60)
    with pytest.raises(ConflictError) as caught:
        lock(app, ANNA, reason="mine")
    assert (caught.value.code, caught.value.message) == ("locked", "hello is locked by ci: freeze")
    taken = lock(app, BOSS, reason="fire")
    assert (taken.owner, taken.reason, taken.since - began) == ("boss", "fire", timedelta(seconds=60))


def test_a_lock_whose_time_has_passed_belongs_to_nobody(app):
    lock(app, seconds=60)
    app.clock.sleep(60)
    assert unlock(app, ANNA).lock is None
    assert lock(app, ANNA).owner == "anna"


def test_nobody_else_lifts_it_but_an_admin(app):
    lock(app)
    with pytest.raises(ForbiddenError) as caught:
        unlock(app, ANNA)
    assert caught.value.message == "the token anna may not lift the lock of ci"
    assert caught.value.hint == "Ask ci, or somebody whose token has the scope admin."
    assert apps.show(app.services, "hello").lock is not None
    assert unlock(app, BOSS).lock is None


def test_lifting_no_lock_does_nothing(app):
    assert unlock(app).lock is None
    assert (told(app), rung(app)) == ([], [])


def test_locking_and_unlocking_are_told(app):
    lock(app, seconds=60)
    unlock(app, BOSS)
    facts = {"owner": "ci", "reason": "freeze", "mode": "refuse", "until": "2026-01-01T12:01:00+00:00"}
    assert told(app) == [("app.locked", facts), ("app.unlocked", {"owner": "ci", "by": "boss"})]


def test_a_locked_app_can_be_deleted(app):
    lock(app)
    apps.delete(app.services, "hello")
    app.drive()
    with pytest.raises(NotFoundError):
        apps.show(app.services, "hello")


def test_an_app_that_is_being_deleted_is_not_locked(app):
    apps.delete(app.services, "hello")
    with pytest.raises(ConflictError, match="is being deleted"):
        lock(app)


def test_what_belongs_to_the_app_changes_under_a_lock(app):
    lock(app)
    changes = {"domains": ["shop.example.com"], "weight": 2.0, "max_rps": 5.0, "queue": "all"}
    view = apps.change(app.services, "hello", changes)
    assert (view.domains, view.weight, view.max_rps, view.queue) == (["shop.example.com"], 2.0, 5.0, "all")
    assert apps.change(app.services, "hello", {"queue": None}).queue == "newest"


def test_a_lock_and_its_end_are_seen_by_who_follows(app):
    app.deploy()
    seen = [deployments.glance(app.services, "hello", 2).mark]
    lock(app)
    seen.append(deployments.glance(app.services, "hello", 2).mark)
    unlock(app)
    seen.append(deployments.glance(app.services, "hello", 2).mark)
    assert len(set(seen)) == 3
