"""Claim, lease, fence; order, retries and limits: what keeps a job from being done twice, or never."""

import os
import threading
import time
from contextlib import suppress

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from longshore.domain.states import JobKind
from longshore.errors import AppError, PartDownError, StoppedError, TransientError
from longshore.models import Job
from longshore.services import jobs, sweeps
from longshore.services.steps import STEPS
from longshore.testing import Behaviour


def rung(stack) -> list[str]:
    return [f"{m.task} {m.label}" for m in stack.queue.messages if m.argument]


@pytest.fixture
def app(stack):
    stack.create()
    stack.queue.lose_all()
    return stack


def claim(stack, kind: str):
    """The work of a job that was rung."""
    work = jobs.claim(stack.worker, stack.ring(kind))
    assert work is not None
    return work


def versions(stack) -> list[int]:
    with stack.services.db.read() as session:
        return list(session.scalars(select(Job.version_id).order_by(Job.id)))


def transient() -> TransientError:
    return TransientError("the registry answered 500", code="registry_error")


# Order


def test_a_message_carries_an_id_and_a_name_for_people(app):
    app.deploy()
    (message,) = app.queue.messages
    assert (message.task, message.label, message.queue) == ("longshore.build", "hello#1", "builds")
    assert message.argument.isdecimal()


def test_a_newer_source_supersedes_older_queued_ones(app):
    app.deploy()
    app.deploy()
    app.deploy()
    assert [app.show(n).state for n in (1, 2, 3)] == ["superseded", "superseded", "queued"]
    assert (app.show(1).superseded_by, app.show(2).superseded_by) == ("hello#2", "hello#3")
    assert {job.state for job in app.show(1).jobs} == {"skipped"}


def test_a_running_deployment_is_never_superseded(app):
    app.deploy()
    app.builder.meanwhile = lambda: app.deploy() if app.show(1).state == "running" and not queued(app) else None
    app.drive()
    assert [app.show(n).state for n in (1, 2)] == ["succeeded", "succeeded"]


def queued(stack) -> bool:
    from longshore.services import deployments

    return any(d.state == "queued" for d in deployments.show_all(stack.services, "hello", limit=9, cursor=None).items)


def test_a_change_of_settings_supersedes_nothing_and_is_not_superseded(app):
    app.deploy()
    app.deploy(source={"current": True}, env={"A": "1"})
    app.deploy()
    assert [app.show(n).state for n in (1, 2, 3)] == ["superseded", "queued", "queued"]


def test_one_deployment_of_an_app_runs_at_a_time_and_the_others_wait_in_order(app):
    app.deploy()
    app.deploy(source={"current": True})
    first, second = app.ring("build"), app.ring("deploy")
    assert jobs.claim(app.worker, second) is None
    assert app.show(2).why == "waits for hello#1, which is queued; 1 before it"
    assert jobs.claim(app.worker, first) is not None
    assert jobs.claim(app.worker, second) is None
    assert app.show(2).why == "waits for hello#1, which is running; 1 before it"


def test_deployments_of_one_app_run_in_the_order_they_were_asked_for(app):
    app.deploy(source={"current": True}, env={"A": "0"})
    app.deploy()
    app.deploy(source={"current": True}, env={"A": "1"})
    app.queue.messages.reverse()
    app.drive()
    assert [app.show(n).state for n in (1, 2, 3)] == ["failed", "succeeded", "succeeded"]
    assert app.engine.specs["longshore.hello.g3.web.1"].env == {"PORT": "80", "A": "1"}


def test_two_apps_do_not_wait_for_each_other(app):
    app.create("other")
    app.deploy()
    app.deploy("other")
    assert jobs.claim(app.worker, app.ring("build")) is not None
    assert jobs.claim(app.worker, app.ring("build")) is not None


# Claim and fence


def test_a_second_delivery_does_nothing(app):
    app.deploy()
    job = app.ring("build")
    assert jobs.claim(app.worker, job) is not None
    jobs.run(app.another_worker(), job)
    assert app.job(1, "build").attempt == 1
    assert app.builder.requests == []


def test_a_delivery_after_the_end_does_nothing(app):
    app.deploy()
    job = app.ring("build")
    jobs.run(app.worker, job)
    jobs.run(app.worker, job)
    assert len(app.builder.requests) == 1


def test_of_many_that_claim_at_once_one_has_it(app):
    app.deploy()
    job, got = app.ring("build"), []
    workers = [app.another_worker(f"w{n}") for n in range(8)]
    threads = [threading.Thread(target=lambda w=worker: got.append(jobs.claim(w, job))) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(work is not None for work in got) == 1
    assert app.job(1, "build").attempt == 1


def test_a_job_whose_needs_are_not_met_cannot_be_claimed(app):
    app.deploy()
    build = app.ring("build")
    for later in range(build + 1, build + 5):
        assert jobs.claim(app.worker, later) is None


def test_whoever_lost_a_job_cannot_write_its_end(app):
    app.deploy()
    work = jobs.claim(app.worker, app.ring("build"))
    sweeps.take_over_from(app.another_worker(), {"worker-1"})
    with pytest.raises(StoppedError), app.db.write() as session:
        work.locked(session)
    with pytest.raises(StoppedError):
        work.check()


def test_a_worker_that_was_taken_over_while_building_leaves_no_trace(app):
    app.deploy()
    app.builder.meanwhile = lambda: sweeps.take_over_from(app.another_worker(), {"worker-1"})
    jobs.run(app.worker, app.ring("build"))
    assert (app.job(1, "build").state, app.show(1).release) == ("queued", None)
    app.builder.meanwhile = lambda: None
    app.drive(app.another_worker())
    assert (app.show(1).state, app.show(1).release) == ("succeeded", 1)


def test_a_worker_without_a_lease_stops_before_it_changes_anything(app):
    app.deploy()
    app.clock.ticks.clear()
    app.builder.meanwhile = lambda: app.clock.sleep(app.settings.lease)
    jobs.run(app.worker, app.ring("build"))
    assert app.show(1).release is None
    assert app.builder.cancelled == 1


def test_a_worker_without_a_lease_claims_nothing(app):
    app.deploy()
    app.clock.ticks.clear()
    app.clock.sleep(app.settings.lease)
    assert jobs.claim(app.worker, app.ring("build")) is None
    assert app.job(1, "build").attempt == 0


# Retries


def failing(stack, times: int, error: Exception):
    push, left = stack.engine.push, [times]

    def try_push(*given):
        if left[0]:
            left[0] -= 1
            raise error
        return push(*given)

    stack.engine.push = try_push


def test_a_passing_fault_is_tried_again_with_backoff(app):
    failing(app, 2, transient())
    app.deploy()
    app.run_on(60)
    assert app.show(1).state == "succeeded"
    assert app.job(1, "push").attempt == 3


def test_a_retry_is_told_in_words(app):
    failing(app, 1, transient())
    app.deploy()
    app.drive()
    waiting = app.job(1, "push").waiting
    assert waiting.startswith("attempt 2 of 5, next in ")
    assert waiting.endswith("because: the registry answered 500")
    assert app.show(1).why == waiting


def test_retries_are_bounded(app):
    failing(app, 99, transient())
    app.deploy()
    app.run_on(300)
    view = app.show(1)
    assert (view.state, view.error.code, app.job(1, "push").attempt) == ("failed", "registry_error", 5)


def test_a_job_that_waits_for_its_next_attempt_is_not_claimed_before_it_is_due(app):
    failing(app, 1, transient())
    app.deploy()
    app.drive()
    attempt = app.job(1, "push").attempt
    sweeps.dispatch(app.worker)
    app.drive()
    assert app.job(1, "push").attempt == attempt


def test_an_error_of_the_app_is_not_tried_again(app):
    app.builder.behaviour = Behaviour(exit_code=1)
    app.deploy()
    app.run_on(30)
    assert app.job(1, "health_check").attempt == 1


@pytest.mark.parametrize("part", ["engine", "registry", "router"])
def test_a_part_that_is_down_costs_no_attempt_and_is_told(app, part):
    app.deploy()
    app.drive() if part == "router" else None
    getattr(app, part).down = True
    app.deploy() if part == "router" else None
    app.run_on(16)
    number = 2 if part == "router" else 1
    view = app.show(number)
    assert view.state == "running"
    assert part in view.why
    getattr(app, part).down = False
    app.run_on(8)
    assert app.show(number).state == "succeeded"
    assert max(job.attempt for job in app.show(number).jobs) == 1


def test_a_fault_nobody_foresaw_is_the_platforms_and_shows_no_traceback(app):
    app.engine.push = lambda *_: 1 / 0
    app.deploy()
    app.drive()
    error = app.show(1).error
    assert (error.code, error.fault) == ("internal", "platform")
    assert "ZeroDivisionError" not in error.message + app.log(1)


def test_a_sibling_is_told_to_stop_when_a_job_fails(app):
    app.deploy()
    jobs.run(app.worker, app.ring("build"))
    deploy = jobs.claim(app.worker, app.ring("deploy"))
    app.engine.push = lambda *_: (_ for _ in ()).throw(AssertionError("nobody foresees this"))
    jobs.run(app.worker, app.ring("push"))
    assert app.show(1).state == "running"
    with pytest.raises(StoppedError):
        deploy.check()
    jobs._give_up(deploy)
    app.drive()
    assert (app.show(1).state, app.job(1, "deploy").state) == ("failed", "cancelled")


class Flaky:
    """A database that does not answer for a number of transactions."""

    def __init__(self, inner) -> None:
        self.inner, self.fails = inner, 0

    def _try(self):
        if self.fails:
            self.fails -= 1
            raise PartDownError("database", "the database did not answer")

    def read(self):
        self._try()
        return self.inner.read()

    def write(self):
        self._try()
        return self.inner.write()


def test_a_database_that_was_away_when_a_job_ended_leaves_no_job_running_for_ever(app):
    from dataclasses import replace

    flaky = Flaky(app.db)
    app.worker = replace(app.worker, db=flaky)
    outage = iter([6])
    app.builder.meanwhile = lambda: setattr(flaky, "fails", next(outage, 0))
    app.deploy()
    with suppress(PartDownError):
        jobs.run(app.worker, app.ring("build"))
    flaky.fails = 0
    app.run_on(30)
    assert app.show(1).state == "succeeded"


# The build limit


def test_builds_wait_for_a_free_place_and_say_so(app):
    for name in ("one", "two"):
        app.create(name)
        app.deploy(name)
    app.deploy()
    first, second, third = (app.ring("build") for _ in range(3))
    assert jobs.claim(app.worker, first)
    assert jobs.claim(app.worker, second)
    assert jobs.claim(app.worker, third) is None
    assert app.show(1).why == "waits for a free place: 2 builds run already on host-1"


def test_a_deployment_that_waits_for_a_place_has_not_begun(app):
    app.settle(builds=1)
    app.create("one")
    app.deploy("one")
    app.deploy()
    jobs.claim(app.worker, app.ring("build"))
    jobs.claim(app.worker, app.ring("build"))
    assert app.show(1).state == "queued"
    app.deploy()
    assert app.show(1).state == "superseded"


def test_a_refused_build_is_rung_when_a_place_becomes_free(app):
    app.settle(builds=1)
    app.create("one")
    app.deploy("one")
    app.deploy()
    first, refused = app.ring("build"), app.ring("build")
    app.builder.meanwhile = lambda: jobs.claim(app.another_worker(), refused)
    jobs.run(app.worker, first)
    assert "longshore.build hello#1" in rung(app)


# Sweeps


def test_losing_every_message_loses_no_work(app):
    app.deploy()
    app.queue.lose_all()
    app.run_on(20)
    assert app.show(1).state == "succeeded"


def test_a_message_is_sent_again_only_when_it_is_overdue(app):
    app.deploy()
    app.queue.lose_all()
    sweeps.dispatch(app.worker)
    assert rung(app) == []
    app.clock.sleep(app.settings.overdue + 1)
    sweeps.dispatch(app.worker)
    assert rung(app) == ["longshore.build hello#1"]


def test_dispatch_rings_only_what_can_run(app):
    app.deploy()
    jobs.run(app.worker, app.ring("build"))
    app.queue.lose_all()
    app.clock.sleep(app.settings.overdue + 1)
    sweeps.dispatch(app.worker)
    assert sorted(rung(app)) == ["longshore.deploy hello#1", "longshore.push hello#1"]


def test_many_waiting_deployments_do_not_keep_dispatch_from_ringing_a_later_one(app):
    app.deploy()
    for _ in range(70):
        app.deploy(source={"current": True})
    app.create("late")
    app.deploy("late")
    app.queue.lose_all()
    app.clock.sleep(app.settings.overdue + 1)
    sweeps.dispatch(app.worker)
    assert "longshore.build late#1" in rung(app)


def test_a_deployment_accepted_while_redis_is_down_runs_later(app):
    app.queue.down = True
    app.deploy()
    app.queue.down = False
    app.run_on(20)
    assert app.show(1).state == "succeeded"


def dead_worker_with_a_job(stack):
    dead = stack.another_worker("dead")
    sweeps.beat(dead)
    stack.deploy()
    assert jobs.claim(dead, stack.ring("build"))


def watch(stack, seconds: float) -> None:
    for _ in range(int(seconds)):
        stack.clock.sleep(1)
        sweeps.beat(stack.worker)
        sweeps.reap(stack.worker)


def test_a_job_of_a_dead_worker_is_taken_over(app):
    dead_worker_with_a_job(app)
    watch(app, app.settings.lease + 2)
    assert rung(app) == ["longshore.build hello#1"]
    app.drive()
    assert (app.show(1).state, app.job(1, "build").attempt) == ("succeeded", 1)


def test_a_job_is_not_taken_from_a_worker_that_beats(app):
    dead_worker_with_a_job(app)
    for _ in range(40):
        sweeps.beat(app.another_worker("dead"))
        watch(app, 1)
    assert app.job(1, "build").state == "running"


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_moved_wall_clock_neither_kills_a_lease_nor_keeps_one_alive(app, jump):
    dead_worker_with_a_job(app)
    watch(app, 2)
    app.clock.jump(jump)
    watch(app, 5)
    assert app.job(1, "build").state == "running"
    watch(app, app.settings.lease)
    assert app.job(1, "build").state == "queued"


def test_a_job_of_a_worker_that_died_before_its_first_beat_is_taken_over(app):
    app.deploy()
    assert jobs.claim(app.another_worker("never-beat"), app.ring("build"))
    watch(app, app.settings.lease + 2)
    assert app.job(1, "build").state == "queued"


def test_a_job_that_was_to_stop_ends_when_its_worker_is_dead(app):
    app.deploy()
    jobs.run(app.worker, app.ring("build"))
    dead = app.another_worker("dead")
    sweeps.beat(dead)
    jobs.claim(dead, app.ring("deploy"))
    app.engine.push = lambda *_: 1 / 0
    app.drive()
    assert app.show(1).state == "running"
    watch(app, app.settings.lease + 2)
    app.drive()
    assert app.show(1).state == "failed"


def test_a_container_that_a_late_worker_made_is_removed(app):
    app.deploy()
    app.drive()
    spec = app.engine.specs["longshore.hello.g1.web.1"]
    app.deploy()
    app.drive()
    app.engine.start(spec)
    sweeps.reconcile(app.worker)
    assert list(app.engine.standing) == ["longshore.hello.g2.web.1"]


def test_a_container_without_a_row_is_left_alone(app):
    app.engine.add_image("x:1")
    app.engine.occupy("somebody")
    sweeps.reconcile(app.worker)
    assert list(app.engine.standing) == ["somebody"]


def test_a_stopped_replica_that_should_serve_is_started_again(app):
    app.deploy()
    app.drive()
    app.engine.die("longshore.hello.g1.web.1")
    sweeps.reconcile(app.worker)
    assert app.engine.standing["longshore.hello.g1.web.1"].running


def test_a_drain_that_the_engine_kept_from_its_end_is_repeated(app):
    app.deploy()
    app.drive()
    app.deploy()
    jobs.run(app.worker, app.ring("build"))
    jobs.run(app.worker, app.ring("push"))
    jobs.run(app.worker, app.ring("deploy"))
    jobs.run(app.worker, app.ring("health_check"))
    app.engine.down = True
    app.drive()
    assert (app.show(2).state, len(app.engine.standing)) == ("succeeded", 2)
    app.engine.down = False
    app.run_on(20)
    assert list(app.engine.standing) == ["longshore.hello.g2.web.1"]


# Deletion


def test_a_deleted_apps_name_is_free_when_its_last_container_is_gone(app):
    from longshore.errors import ConflictError
    from longshore.services import apps

    app.deploy()
    app.drive()
    assert apps.delete(app.services, "hello").state == "deleting"
    with pytest.raises(ConflictError):
        app.create()
    app.drive()
    assert app.engine.standing == {}
    app.create()
    assert apps.show(app.services, "hello").release is None


def test_an_app_is_not_deleted_under_a_running_deployment(app):
    from longshore.errors import ConflictError
    from longshore.services import apps

    app.deploy()
    with pytest.raises(ConflictError, match="hello#1 is queued"):
        apps.delete(app.services, "hello")


def test_the_generation_goes_on_counting_over_a_deletion(app):
    from longshore.services import apps

    app.deploy()
    app.drive()
    apps.delete(app.services, "hello")
    app.drive()
    app.create()
    app.deploy()
    app.drive()
    assert list(app.engine.standing) == ["longshore.hello.g2.web.1"]


def test_old_uploads_that_nobody_needs_are_forgotten(app, monkeypatch):
    folder = app.settings.root / "uploads"
    folder.mkdir()
    (folder / "old.tar").write_bytes(b"")
    (folder / "old.part").write_bytes(b"")
    sweeps.clean(app.worker)
    monkeypatch.setattr("longshore.adapters.files.time.monotonic", lambda now=time.monotonic: now() + 7200)
    (folder / "new.tar").write_bytes(b"")
    sweeps.clean(app.worker)
    assert [path.name for path in folder.iterdir()] == ["new.tar"]


def test_an_upload_that_looks_old_to_a_moved_clock_waits_for_its_deployment(app):
    folder = app.settings.root / "uploads"
    folder.mkdir()
    (folder / "new.tar").write_bytes(b"")
    os.utime(folder / "new.tar", (0, 0))
    sweeps.clean(app.worker)
    assert (folder / "new.tar").exists()


def test_an_upload_that_a_killed_build_left_is_forgotten_when_its_deployment_has_ended(app):
    folder = app.settings.root / "uploads"
    folder.mkdir()
    app.deploy(source={"upload": "left"})
    (folder / "left.tar").write_bytes(b"")
    sweeps.clean(app.worker)
    assert [upload for upload, _ in app.files.uploads()] == ["left"]
    app.cancel(1)
    sweeps.clean(app.worker)
    assert app.files.uploads() == []


def test_a_sibling_that_meets_a_passing_fault_while_all_fails_blocks_nobody(app):
    app.deploy()
    jobs.run(app.worker, app.ring("build"))
    push, deploy = claim(app, "push"), claim(app, "deploy")
    jobs._fail(push, AppError("refused for good"))
    jobs._fail(deploy, TransientError("cut"))
    app.drive()
    assert (app.show(1).state, app.show(1).error.message) == ("failed", "refused for good")
    app.deploy()
    app.drive()
    assert app.show(2).state == "succeeded"


def test_work_that_was_stopped_once_stays_stopped(app):
    app.deploy()
    work = claim(app, "build")
    app.worker.lease._renewed -= app.settings.lease  # the beats stood still
    assert work.stopped()
    sweeps.beat(app.worker)
    with pytest.raises(StoppedError):
        work.check()


def test_whoever_lost_the_claim_writes_no_line_more(app):
    app.deploy()
    work = claim(app, "build")
    sweeps.take_over_from(app.another_worker(), {"worker-1"})
    work.log.write("from the dead")
    work.log.flush()
    assert "from the dead" not in app.log(1)


def test_dispatch_raises_no_version_of_a_job(app):
    app.deploy()
    before = versions(app)
    app.clock.sleep(app.settings.overdue + 1)
    sweeps.dispatch(app.worker)
    assert rung(app)[-1] == "longshore.build hello#1"
    assert versions(app) == before


def test_an_ending_that_the_database_always_refuses_fails_the_deployment_and_holds_nobody(app, monkeypatch):
    def refuse(*_) -> dict:
        raise IntegrityError("insert", {}, ValueError("taken"))

    monkeypatch.setattr(STEPS[JobKind.BUILD], "conclude", refuse)
    app.deploy()
    app.drive()
    assert (app.show(1).state, app.show(1).error.code) == ("failed", "internal")
