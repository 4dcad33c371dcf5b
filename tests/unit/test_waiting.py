"""Every wait is explained: for what, in which words, behind whom, since when, and how much longer."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event

from longshore.domain.states import JobKind, WaitFor
from longshore.errors import InvalidRequestError, TransientError
from longshore.models import Job
from longshore.services import deployments, jobs, locks, parts, queue, sweeps
from longshore.services.locks import NewLock
from longshore.services.tokens import Caller, Scope

CI = Caller("ci", Scope.DEPLOY, None, "1")


@pytest.fixture
def app(stack):
    """The app hello, with every part seen well, in whose line nothing joins or gives way."""
    parts.check(stack.worker)
    stack.create(queue="all")
    stack.queue.lose_all()
    return stack


def history(stack, *seconds: float, app: str = "hello", **source) -> None:
    """Deployments that succeeded, each as long as it says."""
    for one in seconds:
        stack.deploy(app, **source)
        work = jobs.claim(stack.worker, stack.ring())
        assert work is not None
        stack.clock.sleep(one)
        sweeps.beat(stack.worker)
        jobs._give_up(work)  # handed back: it begins anew, and the time has gone by
        stack.drive()


def lock(stack, seconds: float | None = None, app: str = "hello") -> None:
    until = stack.clock.now() + timedelta(seconds=seconds) if seconds else None
    locks.lock(stack.services, app, NewLock("freeze", "wait", until), CI)


def waiting(stack, number: int, app: str = "hello") -> dict:
    """What is shown, without ``since``."""
    shown = stack.show(number, app).waiting
    return shown.model_dump(exclude={"since"}) if shown else None


def since(stack, number: int) -> float:
    """Seconds from its waiting until now."""
    return (stack.clock.now() - stack.show(number).waiting.since).total_seconds()


def facts(reason: str, blocker: str | None = None, position: int = 0, estimate: int | None = None) -> dict:
    return {"for": reason, "blocker": blocker, "position": position, "estimate_seconds": estimate}


def running(stack, **facts):
    """A deployment whose first job runs."""
    stack.deploy(**facts)
    return jobs.claim(stack.worker, stack.ring())


# For each thing that is waited for: the words, and the facts


def test_what_is_at_work_or_over_waits_for_nothing(app):
    running(app)
    assert (app.show(1).why, app.show(1).waiting) == (None, None)
    app.create("other")
    app.deploy("other")
    app.drive()
    assert (app.show(1, "other").why, app.show(1, "other").waiting) == (None, None)


def test_a_deployment_waits_for_those_of_its_app_before_it(app):
    running(app)
    app.deploy(source={"current": True})
    app.deploy()
    app.clock.sleep(3)
    assert app.show(2).why == "waits for hello#1, which is running; 1 before it"
    assert app.show(3).why == "waits for hello#1, which is running; 2 before it"
    assert waiting(app, 2) == facts("deployment", "hello#1", 1)
    assert waiting(app, 3) == facts("deployment", "hello#1", 2)
    assert since(app, 2) == 3


def test_it_waits_for_a_lock_whatever_else_is_before_it(app):
    running(app)
    app.deploy()
    app.clock.sleep(2)
    lock(app)
    app.clock.sleep(3)
    assert app.show(2).why == "waits for the lock of ci: freeze"
    assert waiting(app, 2) == facts("lock", "lock of ci", 1)
    assert since(app, 2) == 3
    app.deploy(source={"current": True})
    assert since(app, 3) == 0


def test_it_waits_for_a_worker_where_none_takes_from_its_queue(app):
    app.deploy()
    app.clock.sleep(25)
    app.settle(worker_queues="deploys,periodic")
    sweeps.beat(app.another_worker())
    assert app.show(1).why == "waits for a worker on the queue builds: none is running"
    assert waiting(app, 1) == facts("worker", "queue builds")
    assert since(app, 1) == 25
    app.create("other")
    app.deploy("other", image="nginx:1")
    assert app.show(1, "other").why is None


def test_a_later_job_waits_for_a_worker_on_its_own_queue_since_it_could_begin(app):
    app.deploy()
    app.clock.sleep(5)
    jobs.run(app.worker, app.ring("build"))
    app.clock.sleep(25)
    app.settle(worker_queues="builds")
    sweeps.beat(app.another_worker())
    assert app.show(1).why == "waits for a worker on the queue deploys: none is running"
    assert since(app, 1) == 25


def test_without_any_worker_it_waits_for_one_on_its_queue(app):
    app.deploy()
    app.clock.sleep(25)
    assert app.show(1).why == "waits for a worker on the queue builds: none is running"


def test_it_waits_for_a_worker_that_does_not_come(app):
    app.deploy()
    assert app.show(1).why is None  # the message is on its way
    app.clock.sleep(2)
    assert app.show(1).why == "waits for a worker to take it"
    assert waiting(app, 1) == facts("worker")
    assert since(app, 1) == 2


def test_it_waits_for_a_free_place_for_its_build(app):
    app.settle(builds=1)
    app.create("one")
    running(app)
    app.deploy("one")
    app.clock.sleep(2)
    jobs.claim(app.worker, app.ring("build"))
    app.clock.sleep(3)
    assert app.show(1, "one").why == "waits for a free place: 1 builds run already on host-1"
    assert waiting(app, 1, "one") == facts("build_place")
    assert app.clock.now() - app.show(1, "one").waiting.since == timedelta(seconds=3)


def told(stack, reason: WaitFor, words: str) -> None:
    with stack.services.db.write() as session:
        session.get_one(Job, 1).wait(reason, words, stack.clock.now())


def test_it_waits_to_be_alone_in_the_words_of_who_refused_it(app):
    app.deploy()
    told(app, WaitFor.ALONE, "runs by itself: it may have crashed a worker")
    assert app.show(1).why == "runs by itself: it may have crashed a worker"
    assert waiting(app, 1) == facts("alone")


def test_it_waits_for_its_next_attempt_until_that_is_due(app):
    def push(*_):
        raise TransientError("the registry answered 500", code="registry_error")

    app.engine.push = push
    app.deploy()
    app.drive()
    why = app.show(1).why
    assert why.startswith("attempt 2 of 5, next in ")
    assert why.endswith("because: the registry answered 500")
    seconds = int(why.split("next in ")[1].split()[0])
    assert waiting(app, 1) == facts("retry", estimate=seconds)
    assert app.job(1, "push").waiting == why
    app.clock.sleep(15)
    assert waiting(app, 1) == facts("retry", estimate=0)


def test_it_waits_for_a_part_that_a_job_found_down(app):
    app.registry.down = True
    app.deploy()
    app.drive()
    assert app.show(1).why.startswith("waits for registry: ")
    assert waiting(app, 1) == facts("part", "registry")


def test_it_waits_for_a_part_that_a_look_found_down(app):
    app.engine.down = True
    parts.check(app.worker)
    app.deploy()
    why = app.show(1).why
    assert why.startswith("waits for engine: ")
    assert waiting(app, 1) == facts("part", "engine")


def test_what_a_row_says_of_the_line_is_not_believed_when_it_is_over(app):
    app.deploy()
    told(app, WaitFor.DEPLOYMENT, "waits for hello#0, which is running; 1 before it")
    assert (app.show(1).why, app.job(1, "build").waiting) == (None, None)
    told(app, WaitFor.LOCK, "waits for the lock of ci: freeze")
    assert (app.show(1).why, app.job(1, "build").waiting) == (None, None)


def test_who_is_refused_is_told_the_words_that_are_shown(app):
    running(app)
    app.deploy(source={"current": True})
    assert jobs.claim(app.worker, app.ring("deploy")) is None
    with app.services.db.read() as session:
        row = session.query(Job).where(Job.kind == JobKind.DEPLOY, Job.waiting.is_not(None)).one()
        assert (row.waiting_for, row.waiting) == (WaitFor.DEPLOYMENT, app.show(2).why)
    assert app.job(2, "deploy").waiting == app.show(2).why


def test_the_view_says_for_what_under_the_name_for(app):
    running(app)
    app.deploy(source={"current": True})
    shown = app.show(2)
    assert '"waiting":{"for":"deployment","blocker":"hello#1"' in shown.model_dump_json()
    (listed, _) = deployments.show_all(app.services, "hello", limit=9, cursor=None).items
    assert listed == shown


def test_an_answer_to_a_new_deployment_says_why_it_waits(app):
    running(app)
    assert app.deploy(source={"current": True}).why == "waits for hello#1, which is running; 1 before it"


# How much longer


@pytest.fixture
def timed(app):
    """What has a history: with a build 10, 30 and 20 s, without one 4 s."""
    history(app, 10, 30, 20)
    history(app, 4, source={"current": True})
    return app


def test_the_history_tells_how_long_it_takes(timed):
    running(timed)
    timed.deploy(source={"current": True})
    timed.deploy(source={"current": True})
    assert waiting(timed, 6) == facts("deployment", "hello#5", 1, estimate=20)
    assert waiting(timed, 7) == facts("deployment", "hello#5", 2, estimate=24)
    timed.clock.sleep(8)
    assert waiting(timed, 7)["estimate_seconds"] == 16
    timed.clock.sleep(60)
    assert waiting(timed, 7)["estimate_seconds"] == 4


def test_only_the_last_ten_count(app):
    history(app, 100, *[7] * 10)
    history(app, 50, source={"current": True})
    running(app)
    app.deploy(source={"current": True})
    assert waiting(app, 14)["estimate_seconds"] == 7


def test_without_a_history_of_that_sort_nobody_knows(app):
    history(app, 4, source={"image": "nginx:1"})
    running(app)
    app.deploy(source={"current": True})
    assert waiting(app, 3) == facts("deployment", "hello#2", 1)


def test_what_failed_is_no_history(app):
    app.engine.push = lambda *_: 1 / 0
    history(app, 4)
    assert app.show(1).state == "failed"
    running(app)
    app.deploy(source={"current": True})
    assert waiting(app, 3)["estimate_seconds"] is None


def test_the_history_of_another_app_says_nothing(timed):
    timed.create("other")
    timed.queue.lose_all()
    timed.deploy("other")
    assert jobs.claim(timed.worker, timed.ring("build"))
    timed.deploy("other", source={"current": True})
    assert waiting(timed, 2, "other")["estimate_seconds"] is None


def test_a_lock_lasts_until_its_end_and_then_come_those_before(timed):
    lock(timed, 100)
    timed.deploy(source={"current": True})
    timed.deploy(source={"current": True})
    assert waiting(timed, 5) == facts("lock", "lock of ci", 0, estimate=100)
    assert waiting(timed, 6) == facts("lock", "lock of ci", 1, estimate=104)


def test_what_runs_goes_on_under_a_lock(timed):
    running(timed)
    lock(timed, 12)
    timed.deploy(source={"current": True})
    assert waiting(timed, 6)["estimate_seconds"] == 20
    timed.clock.sleep(10)
    assert waiting(timed, 6)["estimate_seconds"] == 10


def test_of_a_lock_without_an_end_nobody_knows(timed):
    lock(timed)
    timed.deploy()
    assert waiting(timed, 5) == facts("lock", "lock of ci")


# The queue


def shown(stack, **asked) -> list:
    return queue.show(stack.services, **{"only": None, "limit": 50, "cursor": None, **asked}).items


def test_the_queue_shows_what_runs_first_and_then_what_waits_in_order(timed):
    timed.create("other", queue="all")
    lock(timed)
    timed.queue.lose_all()
    timed.deploy(source={"current": True})
    timed.deploy("other")
    timed.queue.messages.pop(0)
    assert jobs.claim(timed.worker, timed.ring("build"))
    timed.deploy("other", source={"current": True})
    timed.clock.sleep(5)
    first, second, third = (one.model_dump() for one in shown(timed))
    now = timed.clock.now()
    assert first == {
        "deployment": "other#1",
        "app": "other",
        "number": 1,
        "state": "running",
        "phase": "building",
        "trigger": "api",
        "actor": "test",
        "job": "build",
        "since": now - timedelta(seconds=5),
        "why": None,
        "waiting": None,
        "elapsed_seconds": 5,
        "estimate_seconds": None,
    }
    assert (second["deployment"], second["job"], second["why"]) == (
        "hello#5",
        "deploy",
        "waits for the lock of ci: freeze",
    )
    assert second["waiting"] == {**facts("lock", "lock of ci"), "since": now - timedelta(seconds=5)}
    assert (third["deployment"], third["why"]) == ("other#2", "waits for other#1, which is running; 1 before it")


def test_of_what_runs_the_queue_says_how_long_it_will_still_take(timed):
    running(timed)
    timed.clock.sleep(8)
    (one,) = shown(timed)
    assert (one.elapsed_seconds, one.estimate_seconds) == (8, 12)
    timed.clock.sleep(60)
    (one,) = shown(timed)
    assert (one.elapsed_seconds, one.estimate_seconds) == (68, 0)


def test_what_waits_is_as_in_its_own_view(timed):
    running(timed)
    timed.deploy(source={"current": True})
    one, own = shown(timed)[1], timed.show(6)
    assert (one.why, one.waiting, one.estimate_seconds) == (own.why, own.waiting, own.waiting.estimate_seconds)


def test_between_two_jobs_the_queue_names_the_next(app):
    app.deploy()
    jobs.run(app.worker, app.ring("build"))
    (one,) = shown(app)
    assert (one.state, one.job, one.why) == ("running", "push", None)


def test_what_is_over_is_not_in_the_queue(app):
    app.deploy()
    app.drive()
    assert shown(app) == []


def many(stack, names) -> None:
    for name in names:
        stack.create(name, queue="all")
        stack.queue.lose_all()
        stack.deploy(name)
        if name.endswith(("0", "5")):
            jobs.claim(stack.worker, stack.ring("build"))
        stack.deploy(name, source={"current": True})


def test_the_queue_comes_in_pages(app):
    app.settle(builds=9)
    many(app, ["a0", "a1", "a5"])
    everything = [one.deployment for one in shown(app)]
    assert everything == ["a0#1", "a5#1", "a0#2", "a1#1", "a1#2", "a5#2"]
    seen, cursor = [], None
    while True:
        page = queue.show(app.services, only=None, limit=2, cursor=cursor)
        assert len(page.items) <= 2
        seen += [one.deployment for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == everything


@pytest.mark.parametrize("cursor", ["x", "2-1", "1", "-1", "1-" + "9" * 40, "0-1 or 1=1", "١-1", ""])
def test_a_place_in_the_queue_that_cannot_be_is_refused(app, cursor):
    with pytest.raises(InvalidRequestError, match="is not one we gave"):
        shown(app, cursor=cursor)


def test_the_queue_of_one_app(app):
    many(app, ["a1", "a2"])
    assert [one.deployment for one in shown(app, only="a2")] == ["a2#1", "a2#2"]


@contextmanager
def statements(stack):
    """The statements that are executed inside."""
    counted: list[str] = []

    def count(_connection, _cursor, statement, *_):
        counted.append(statement)

    event.listen(stack.services.db.engine, "before_cursor_execute", count)
    try:
        yield counted
    finally:
        event.remove(stack.services.db.engine, "before_cursor_execute", count)


def test_the_queue_asks_the_database_as_often_for_fifty_deployments_as_for_one(app):
    app.settle(builds=60)
    app.deploy()
    with statements(app) as for_one:
        assert len(shown(app)) == 1
    many(app, [f"a{number}" for number in range(25)])
    with statements(app) as for_many:
        assert len(shown(app)) == 50
    assert len(for_many) == len(for_one)


def test_a_list_asks_the_database_as_often_for_fifty_waiting_as_for_one(app):
    def listed() -> int:
        return len(deployments.show_all(app.services, "hello", limit=100, cursor=None).items)

    app.deploy()
    with statements(app) as for_one:
        assert listed() == 1
    for _ in range(49):
        app.deploy(source={"current": True})
    with statements(app) as for_many:
        assert listed() == 50
    assert len(for_many) == len(for_one)
