"""The same promises on SQLite and on a real PostgreSQL."""

import contextlib
import json
import threading
from collections.abc import Callable

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from longshore.adapters.schema import migrate
from longshore.errors import ConflictError, PartDownError, PlatformError
from longshore.models import Base, Job, LogChunk
from longshore.services import idempotency, jobs, logs
from longshore.services.idempotency import Ask

THREADS = 8


def at_once(count: int, action: Callable[[int], object]) -> list[object]:
    """What ``action`` answers, or raises, in threads that begin together."""
    ready, answers = threading.Barrier(count), [None] * count

    def run(number: int) -> None:
        ready.wait()
        try:
            answers[number] = action(number)
        except Exception as error:
            answers[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_migrations_run_twice_at_once_and_leave_no_drift(empty):
    assert at_once(2, lambda _: migrate(empty)) == [None, None]
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_database_of_a_newer_longshore_is_refused(database):
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(PlatformError) as caught:
        migrate(database)
    assert caught.value.code == "newer_database"


def test_a_database_that_is_not_there_is_a_part_that_is_down(database):
    from longshore.adapters.db import SqlDatabase

    for url in ("postgresql://longshore@/none?host=/nowhere", "sqlite:////proc/nowhere.db"):
        try:
            nobody = SqlDatabase(url)
        except OSError:
            continue
        with pytest.raises(PartDownError):
            nobody.ping()
        nobody.close()


def test_a_transaction_that_fails_leaves_nothing(stack):
    with contextlib.suppress(ZeroDivisionError), stack.db.write() as session:
        session.execute(text("DELETE FROM workers"))
        raise ZeroDivisionError
    with stack.db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM workers")) == 1


def test_each_job_is_claimed_by_one_of_many(stack):
    stack.settle(builds=64)
    for number in range(6):
        stack.create(f"app-{number}")
        stack.deploy(f"app-{number}")
    ids = [stack.ring("build") for _ in range(6)]
    workers = [stack.another_worker(f"w{number}") for number in range(THREADS)]
    got = at_once(THREADS, lambda n: [job for job in ids if jobs.claim(workers[n], job)])
    assert sorted(job for claimed in got for job in claimed) == ids
    with stack.db.read() as session:
        claimed = [job for job in session.query(Job) if job.attempt]
    assert {(job.attempt, job.fence) for job in claimed} == {(1, 1)}


def test_the_limit_of_builds_holds_against_many_at_once(stack):
    for number in range(THREADS):
        stack.create(f"app-{number}")
        stack.deploy(f"app-{number}")
    ids = [stack.ring("build") for _ in range(THREADS)]
    workers = [stack.another_worker(f"w{number}") for number in range(THREADS)]
    got = at_once(THREADS, lambda n: jobs.claim(workers[n], ids[n]) is not None)
    assert set(got) <= {True, False}
    assert 1 <= got.count(True) <= stack.settings.builds


def test_no_number_is_lost_when_many_deploy_at_once(stack):
    stack.create(queue="all")  # else they would join each other
    got = at_once(THREADS, lambda _: [stack.deploy(source={"current": True}).number for _ in range(4)])
    assert sorted(number for numbers in got for number in numbers) == list(range(1, THREADS * 4 + 1))


def test_a_log_has_no_gap_and_no_double_when_many_write(stack):
    stack.create()
    stack.deploy()
    with stack.db.read() as session:
        deployment = session.query(Job).first().deployment_id
    got = at_once(THREADS, lambda n: [logs.append(stack.services, deployment, "build", f"{n}.{i}") for i in range(12)])
    assert all(isinstance(answer, list) for answer in got)
    with stack.db.read() as session:
        chunks = session.query(LogChunk).order_by(LogChunk.sequence).all()
    assert [chunk.sequence for chunk in chunks] == list(range(1, THREADS * 12 + 1))
    for number in range(THREADS):
        mine = [chunk.text for chunk in chunks if chunk.text.startswith(f"{number}.")]
        assert mine == [f"{number}.{i}" for i in range(12)]


def test_of_many_that_take_one_name_one_has_it(stack):
    got = at_once(THREADS, lambda _: stack.create())
    assert got.count(None) == 1
    assert all(isinstance(one, ConflictError) for one in got if one is not None)


def test_of_many_that_take_one_domain_one_has_it(stack):
    got = at_once(THREADS, lambda n: stack.create(f"app-{n}", domains=["shop.example.com"]))
    assert got.count(None) == 1
    assert all(isinstance(one, ConflictError) for one in got if one is not None)


def test_of_many_that_ask_under_one_key_one_is_done_and_all_find_its_answer(stack):
    ask = Ask("me", "k", "f")
    stack.create()

    def deploy(_: int) -> str | None:
        with contextlib.suppress(ConflictError), idempotency.asking(ask):
            stack.deploy(source={"current": True})
        return idempotency.kept(stack.services, ask)

    got = at_once(THREADS, deploy)
    assert [json.loads(one)["id"] for one in set(got)] == ["hello#1"]
    with stack.db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM deployments")) == 1


def test_of_two_that_ask_for_different_things_under_one_key_one_is_done(stack):
    for name in ("hello", "other"):
        stack.create(name)

    def deploy(number: int) -> str:
        with idempotency.asking(Ask("me", "k", f"f{number}")):
            return stack.deploy(("hello", "other")[number]).id

    got = at_once(2, deploy)
    (refused,) = [one for one in got if isinstance(one, ConflictError)]
    assert refused.code == "answered"
    with stack.db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM deployments")) == 1


def test_a_whole_deployment_runs_on_it(stack):
    stack.create(config={"replicas": 2})
    for _ in range(2):
        stack.deploy()
        stack.drive()
    assert [stack.show(n).state for n in (1, 2)] == ["succeeded", "succeeded"]
    assert sorted(stack.engine.standing) == ["longshore.hello.g2.web.1", "longshore.hello.g2.web.2"]


def test_what_holds_a_nul_is_not_there_and_breaks_nothing(stack):
    from longshore.errors import LongshoreError
    from longshore.services import apps, tokens

    with pytest.raises(LongshoreError):
        apps.show(stack.services, "a\0b")
    with pytest.raises(LongshoreError):
        tokens.recognise(stack.services, "lsh_a\0b_c")
