"""Workers that die, leave or get stuck: whose jobs go on where, and who is blamed."""

import threading

import pytest
from sqlalchemy import select

from longshore.domain.states import JobKind
from longshore.errors import AppError, StoppedError
from longshore.models import Job, Worker
from longshore.services import jobs, sweeps
from longshore.services.shift import KEPT_FREE
from longshore.services.sweeps.deadlines import MARGIN

APPS = ("one", "two", "three")


@pytest.fixture
def app(stack):
    stack.create()
    stack.queue.lose_all()
    return stack


def dies(stack, worker) -> None:
    """A worker process of this host is gone; the next one starts."""
    stack.locks.hold(worker.lease.worker_id)
    stack.locks.kill(worker.lease.worker_id)
    sweeps.reap(stack.worker)


def row(stack, number: int = 1, kind: str = "build") -> Job:
    with stack.db.read() as session:
        return next(
            job
            for job in session.scalars(select(Job).order_by(Job.id))
            if job.kind == kind and job.deployment.number == number
        )


# The same host


def test_a_worker_that_starts_takes_over_at_once_from_one_that_is_gone_on_its_host(app):
    dead = app.another_worker("dead")
    sweeps.arrive(dead)
    app.deploy()
    jobs.claim(dead, app.ring("build"))
    app.locks.kill("dead")
    sweeps.arrive(app.another_worker("new"))
    assert [m.task for m in app.queue.messages] == ["longshore.build"]
    assert app.locks.abandoned() == set()
    app.drive()
    assert app.show(1).state == "succeeded"


def test_a_worker_whose_lock_is_held_keeps_its_jobs(app):
    other = app.another_worker("other")
    sweeps.arrive(other)
    app.deploy()
    jobs.claim(other, app.ring("build"))
    sweeps.arrive(app.another_worker("new"))
    assert row(app).owner == "other"


def test_a_worker_that_nobody_knows_any_more_gets_a_whole_lease(app):
    other = app.another_worker("other")
    app.deploy()
    jobs.claim(other, app.ring("build"))
    sweeps.reap(app.worker)
    app.clock.sleep(app.settings.lease - 1)
    sweeps.reap(app.worker)
    assert row(app).owner == "other"
    app.clock.sleep(2)
    sweeps.reap(app.worker)
    assert row(app).owner is None


# Blame


def test_a_job_that_was_alone_when_its_worker_died_is_a_suspect_and_fails_at_the_third_time(app):
    app.deploy()
    app.create("other")
    for crash in (1, 2, 3):
        worker = app.another_worker(f"w{crash}")
        assert jobs.claim(worker, row(app).id)
        dies(app, worker)
        assert (row(app).losses, row(app).crashes) == (crash, crash)
    app.drive()
    view = app.show(1)
    assert (view.state, view.error.code, view.error.fault) == ("failed", "crashed_worker", "platform")
    assert "crashed its worker" in view.error.message
    app.deploy()
    app.drive()
    assert app.show(2).state == "succeeded"


def test_neighbours_are_not_blamed(app):
    for name in APPS:
        app.create(name)
        app.deploy(name, image="x:1")
    ids = [app.ring("deploy") for _ in APPS]
    for round_ in range(4):
        worker = app.another_worker(f"w{round_}")
        assert all(jobs.claim(worker, job) for job in ids)
        dies(app, worker)
    with app.db.read() as session:
        found = [(job.losses, job.crashes) for job in session.scalars(select(Job).where(Job.id.in_(ids)))]
    assert found == [(4, 0)] * 3


def test_the_fifth_loss_makes_a_suspect_even_among_neighbours(app):
    for name in APPS:
        app.create(name)
        app.deploy(name, image="x:1")
    ids = [app.ring("deploy") for _ in APPS]
    for round_ in range(5):
        worker = app.another_worker(f"w{round_}")
        assert all(jobs.claim(worker, job) for job in ids)
        dies(app, worker)
    assert {row(app, 1, "deploy").crashes} == {1}


def test_a_lost_worker_costs_no_attempt(app):
    app.deploy()
    jobs.claim(app.another_worker("w"), app.ring("build"))
    dies(app, app.another_worker("w"))
    app.drive()
    assert app.job(1, "build").attempt == 1


def suspect(stack) -> int:
    """The id of a job that may have crashed its worker."""
    stack.deploy()
    job = stack.ring("build")
    jobs.claim(stack.another_worker("w"), job)
    dies(stack, stack.another_worker("w"))
    stack.queue.lose_all()
    return job


def test_a_suspect_waits_until_it_can_run_alone_and_nothing_new_comes_before_it(app):
    app.create("other")
    app.create("third")
    app.deploy("other")
    neighbour = jobs.claim(app.worker, app.ring("build"))
    job = suspect(app)
    assert jobs.claim(app.worker, job) is None
    assert app.show(1).why == "waits to run alone: a worker went away while it ran"
    app.deploy("third", image="x:1")
    third = app.ring("deploy")
    assert jobs.claim(app.worker, third) is None
    app.worker.shift.go(neighbour.place)
    work = jobs.claim(app.worker, job)
    assert work is not None, app.show(1).why
    assert jobs.claim(app.worker, third) is None
    assert app.show(1, "third").why == "waits for a job that runs alone, because a worker went away while it ran"
    app.worker.shift.go(work.place)
    assert jobs.claim(app.worker, third) is not None


def test_a_place_kept_free_for_a_suspect_that_never_comes_is_given_away(app):
    app.create("other")
    app.deploy("other")
    jobs.claim(app.worker, app.ring("build"))
    job = suspect(app)
    assert jobs.claim(app.worker, job) is None
    app.create("third")
    app.deploy("third", image="x:1")
    third = app.ring("deploy")
    assert jobs.claim(app.worker, third) is None
    app.clock.sleep(KEPT_FREE + 1)
    assert jobs.claim(app.worker, third) is not None


def test_whoever_died_in_a_deployment_that_is_to_stop_is_not_run_again(app):
    app.deploy()
    jobs.claim(app.another_worker("w"), app.ring("build"))
    app.cancel(1)
    dies(app, app.another_worker("w"))
    app.drive()
    assert (app.show(1).state, app.job(1, "build").state) == ("cancelled", "cancelled")


# Leaving


def test_a_worker_that_leaves_takes_nothing_new(app):
    app.deploy()
    app.worker.shift.end()
    assert jobs.claim(app.worker, app.ring("build")) is None
    assert row(app).state == "queued"


@pytest.mark.parametrize("kind", ["push", "deploy", "health_check"])
def test_on_sigterm_a_job_is_handed_back_without_an_attempt_and_another_worker_goes_on(app, kind):
    app.deploy()
    for before in ("build", "push", "deploy"):
        if before == kind:
            break
        jobs.run(app.worker, app.ring(before))
    leaving = app.another_worker("leaving")
    work = jobs.claim(leaving, app.ring(kind))
    leaving.shift.end()
    with pytest.raises(StoppedError):
        work.check()
    jobs._stop(work)
    assert (row(app, 1, kind).state, row(app, 1, kind).attempt, row(app, 1, kind).losses) == ("queued", 0, 0)
    app.drive()
    assert (app.show(1).state, app.job(1, kind).attempt) == ("succeeded", 1)


def test_a_build_may_end_within_the_grace(app):
    app.settle(shutdown_grace=8)
    leaving = app.another_worker("leaving")
    app.deploy()
    work = jobs.claim(leaving, app.ring("build"))
    leaving.shift.end()
    app.clock.sleep(7.9)
    sweeps.beat(leaving)
    assert not work.stopped()
    app.clock.sleep(0.2)
    assert work.stopped()
    jobs._stop(work)
    assert (row(app).state, row(app).attempt) == ("queued", 0)
    app.drive()
    assert app.show(1).state == "succeeded"


def test_traffic_that_is_being_switched_is_switched_to_the_end(app):
    app.deploy()
    for kind in ("build", "push", "deploy"):
        jobs.run(app.worker, app.ring(kind))
    leaving, apply = app.another_worker("leaving"), app.router.apply

    def apply_while_leaving(desired):
        apply(desired)
        if any(route.live for route in app.router.table):
            leaving.shift.end()

    app.router.apply = apply_while_leaving
    jobs.run(leaving, app.ring("health_check"))
    assert (leaving.shift.ending, app.show(1).state) == (True, "succeeded")


def test_what_is_stuck_is_handed_back_without_asking_it(app):
    leaving = app.another_worker("leaving")
    sweeps.arrive(leaving)
    app.deploy(image="x:1")
    app.create("other")
    app.deploy("other")
    stuck, build = jobs.claim(leaving, app.ring("deploy")), jobs.claim(leaving, app.ring("build"))
    leaving.shift.end()
    sweeps.hand_back(leaving, lasting=False)
    assert not stuck.holds()
    assert build.holds()
    sweeps.leave(leaving)
    assert not build.holds()
    with app.db.read() as session:
        assert session.get(Worker, "leaving") is None
    assert "leaving" not in app.locks.held


def test_whoever_waits_for_the_last_job_is_told_when_it_goes(app):
    app.deploy()
    work = jobs.claim(app.worker, app.ring("build"))
    app.worker.shift.end()
    assert not app.worker.shift.wait(0)
    told = []
    waiting = threading.Thread(target=lambda: told.append(app.worker.shift.wait(10)))
    waiting.start()
    app.worker.shift.go(work.place)
    waiting.join(5)
    assert told == [True]


# Deadlines


def test_a_step_that_takes_too_long_is_stopped_by_its_worker(app):
    app.builder.meanwhile = lambda: app.clock.sleep(app.settings.build_deadline)
    app.deploy()
    app.drive()
    error = app.show(1).error
    assert (error.code, error.fault, error.message) == ("deadline", "app", "the build took longer than 1800 s")


def test_a_step_that_is_silent_for_too_long_is_stopped_by_its_worker(app):
    app.builder.news = (None,)
    app.builder.meanwhile = lambda: app.clock.sleep(app.settings.build_silence)
    app.deploy()
    app.drive()
    assert app.show(1).error.code == "build_silent"


def test_a_push_over_its_limit_is_the_platforms_fault(app):
    push = app.engine.push

    def slow(*given):
        app.clock.sleep(app.settings.push_deadline)
        return push(*given)

    app.engine.push = slow
    app.deploy()
    app.drive()
    assert (app.show(1).state, app.show(1).error.code, app.show(1).error.fault) == ("failed", "deadline", "platform")


def watch(stack, seconds: float) -> None:
    for _ in range(int(seconds) + 1):
        stack.clock.sleep(1)
        sweeps.beat(stack.worker)
        sweeps.reap(stack.worker)
        sweeps.enforce_deadlines(stack.worker)


def test_a_worker_stuck_in_a_call_loses_its_job_to_the_deadline(app):
    app.settle(push_deadline=20)
    app.deploy()
    jobs.run(app.worker, app.ring("build"))
    jobs.run(app.worker, app.ring("deploy"))
    stuck = jobs.claim(app.worker, app.ring("push"))
    watch(app, 20 + MARGIN - 2)
    assert app.show(1).state == "running"
    watch(app, 2)
    assert not stuck.holds()
    app.drive()
    view = app.show(1)
    assert (view.state, view.error.message) == ("failed", "the push took longer than 20 s")
    assert app.engine.standing == {}


def test_news_in_the_log_is_no_silence_seen_from_outside(app):
    app.settle(build_silence=10)
    app.deploy()
    work = jobs.claim(app.worker, app.ring("build"))
    for _ in range(10):
        watch(app, 5)
        work.log.write("on my way")
        work.log.flush()
    assert app.show(1).state == "running"
    watch(app, 10 + MARGIN + 2)
    app.drive()
    assert app.show(1).error.code == "build_silent"


def test_a_deployment_has_a_deadline_while_it_waits(app):
    app.settle(deployment_deadline=100)
    app.deploy()
    app.registry.down = True
    app.run_on(90)
    sweeps.enforce_deadlines(app.worker)
    assert app.show(1).state == "running"
    app.run_on(12)
    sweeps.enforce_deadlines(app.worker)
    app.drive()
    view = app.show(1)
    assert (view.state, view.error.code) == ("failed", "deadline")
    assert "waits for registry" in view.error.message
    assert app.engine.standing == {}


def test_a_deployment_that_never_began_ends_at_its_deadline_and_the_next_is_rung(app):
    app.settle(deployment_deadline=100)
    app.deploy()
    app.clock.sleep(60)
    app.deploy(source={"current": True})
    app.queue.lose_all()
    app.clock.sleep(41)
    sweeps.enforce_deadlines(app.worker)
    assert (app.show(1).state, app.show(1).error.code) == ("failed", "deadline")
    assert {job.state for job in app.show(1).jobs} == {"skipped"}
    assert [message.label for message in app.queue.messages] == ["hello#2"]


def test_a_moved_wall_clock_breaks_no_limit_of_a_job(app):
    app.deploy()
    jobs.claim(app.worker, app.ring("build"))
    watch(app, 2)
    app.clock.jump(3600)
    watch(app, 2)
    assert app.show(1).state == "running"


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_moved_wall_clock_delays_no_retry(app, jump):
    push, fails = app.engine.push, iter([True])

    def once(*given):
        if next(fails, False):
            raise PassingError("cut")
        return push(*given)

    app.engine.push = once
    app.deploy()
    app.drive()
    app.clock.jump(jump)
    app.run_on(70)
    assert app.show(1).state == "succeeded"


class PassingError(AppError):
    """As the registry has them."""

    retryable = True


def test_every_kind_of_job_has_a_limit(app):
    from longshore.services.limits import _LIMITS

    assert set(_LIMITS) == set(JobKind)
