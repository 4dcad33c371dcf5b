"""The Celery app: which tasks there are, where their messages go, and what is in one."""

import json
import os
from types import SimpleNamespace

import click
import pytest
from longshore_workers import beat as beat_module
from longshore_workers import process as process_module
from longshore_workers import schedule, tasks
from sqlalchemy import select

from longshore.adapters.queue import CeleryQueue, make_celery
from longshore.cli import processes
from longshore.cli.root import cli
from longshore.domain.states import JobKind
from longshore.errors import PartDownError
from longshore.models import Worker
from longshore.services import sweeps
from longshore.services.pipeline import queue_of
from longshore.settings import Settings

JOBS = {f"longshore.{kind}" for kind in JobKind}
SWEEPS = {"longshore.dispatch", "longshore.judge", "longshore.reap", "longshore.clean", "longshore.reconcile"}


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, home=tmp_path)


@pytest.fixture
def celery(settings):
    """As a worker makes it, over a broker in memory."""
    app = make_celery(settings)
    app.conf.update(broker_url="memory://", broker_transport_options={})
    schedule.plan(app)
    tasks.register(app)
    return app


@pytest.fixture
def queue(settings, celery):
    """The adapter, over the broker in memory."""
    ours = CeleryQueue(settings)
    ours.celery = celery
    return ours


def received(celery, queue: str):
    """The one message of a queue: its headers and its body."""
    with celery.connection_for_read() as connection:
        message = connection.default_channel.basic_get(queue, no_ack=True)
    return message.headers, json.loads(message.body)


def test_every_job_and_sweep_is_a_task_under_its_name(celery):
    assert {name for name in celery.tasks if name.startswith("longshore.")} == JOBS | SWEEPS | {"longshore.run"}


def test_a_deploy_never_stands_behind_a_build():
    assert {kind.value: queue_of(kind) for kind in JobKind} == {
        "pre_build": "deploys",
        "build": "builds",
        "release_command": "deploys",
        "post_deploy": "deploys",
        "push": "deploys",
        "deploy": "deploys",
        "health_check": "deploys",
        "drain": "deploys",
    }


@pytest.mark.parametrize("kind", list(JobKind))
def test_a_message_carries_an_id_and_a_name_for_people(celery, queue, kind):
    queue.send(f"longshore.{kind}", "42", label="hello#7", queue=queue_of(kind))
    headers, (args, kwargs, _) = received(celery, queue_of(kind))
    assert (args, kwargs) == (["42"], {})
    assert (headers["task"], headers["argsrepr"]) == (f"longshore.{kind}", "hello#7")


def test_a_message_expects_no_result_and_comes_back_when_its_worker_dies(celery):
    assert celery.conf.task_ignore_result
    assert celery.conf.task_acks_late
    assert celery.conf.task_reject_on_worker_lost
    assert celery.conf.worker_prefetch_multiplier == 1
    assert celery.conf.result_backend is None


def test_a_message_does_not_come_back_while_it_is_worked_on(settings):
    limits = (settings.build_deadline, settings.push_deadline, settings.deploy_deadline)
    assert make_celery(settings).conf.broker_transport_options["visibility_timeout"] > 3 * max(limits)


def test_several_stacks_share_one_redis(settings):
    options = make_celery(settings.model_copy(update={"stack": "other"})).conf.broker_transport_options
    assert options["global_keyprefix"] == "other:"


def test_a_unix_socket_is_spelt_as_kombu_wants_it(settings):
    url = make_celery(settings).conf.broker_url
    assert url.startswith("redis+socket://")
    assert settings.redis.startswith("unix://")


def test_a_broker_that_is_away_is_a_part_that_is_down(settings):
    with pytest.raises(PartDownError) as caught:
        CeleryQueue(settings).ping()
    assert caught.value.part == "redis"


def test_ringing_at_a_broker_that_is_away_ends_soon(settings):
    with pytest.raises(PartDownError):
        CeleryQueue(settings).send("longshore.build", "1", label="hello#1", queue="builds")


# Which queues a worker takes from


@pytest.fixture
def became(monkeypatch):
    """What ``longshore worker`` turns into: its arguments, and the setting the new process reads."""

    def run(*words: str) -> tuple[list[str], str | None]:
        seen = []
        monkeypatch.setattr(processes.os, "execv", lambda _, argv: seen.extend(argv))
        cli.main(["worker", *words], standalone_mode=False)
        return seen, os.environ.get("LONGSHORE_WORKER_QUEUES")

    monkeypatch.setenv("LONGSHORE_WORKER_QUEUES", "")
    monkeypatch.delenv("LONGSHORE_WORKER_QUEUES")  # and so again after the test
    return run


def option(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]


def test_a_worker_takes_from_all_queues(became):
    argv, setting = became()
    assert (option(argv, "--queues"), option(argv, "--hostname")) == ("builds,deploys,periodic", "longshore@%h")
    assert setting is None


def test_a_worker_takes_from_the_queues_it_is_told_and_the_process_knows_them(became):
    argv, setting = became("--queues", "periodic, builds")
    assert option(argv, "--queues") == "builds,periodic"
    assert option(argv, "--hostname") == "longshore-builds-periodic@%h"  # two on one host must not share a name
    assert setting == "periodic,builds"
    assert Settings(_env_file=None).queues == ("builds", "periodic")


def test_the_setting_tells_a_worker_its_queues(became, monkeypatch):
    monkeypatch.setenv("LONGSHORE_WORKER_QUEUES", "deploys")
    argv, _ = became()
    assert option(argv, "--queues") == "deploys"


@pytest.mark.parametrize("wrong", ["", "build", "builds,", "builds;deploys"])
def test_a_queue_that_is_not_there_is_refused(became, wrong):
    with pytest.raises(click.BadParameter, match="there are builds, deploys, periodic"):
        became("--queues", wrong)


def test_a_workers_row_says_which_queues_it_takes_from(stack):
    stack.settle(worker_queues="periodic,builds")
    sweeps.beat(stack.another_worker())
    with stack.services.db.read() as session:
        rows = {row.id: row.queues for row in session.scalars(select(Worker))}
    assert rows == {"worker-1": ["builds", "deploys", "periodic"], "worker-2": ["builds", "periodic"]}


# Ticks


def test_every_sweep_is_planned_and_every_tick_expires(celery):
    planned = celery.conf.beat_schedule
    assert {entry["task"] for entry in planned.values()} == SWEEPS
    for entry in planned.values():
        assert entry["options"]["queue"] == "periodic"
        assert 0 < entry["options"]["expires"] <= entry["schedule"]


def test_ticks_do_not_bury_the_jobs_in_flower(celery):
    assert {name: celery.tasks[name].send_events for name in SWEEPS} == dict.fromkeys(SWEEPS, False)


# What a task does


@pytest.fixture
def process(monkeypatch):
    ours = SimpleNamespace(services="services", alone=process_module.Process().alone)
    monkeypatch.setattr(tasks, "process", ours)
    return ours


def test_a_task_makes_one_call_with_the_id(celery, process, monkeypatch):
    calls = []
    monkeypatch.setattr(tasks.jobs, "run", lambda services, job: calls.append((services, job)))
    celery.tasks["longshore.build"]("42")
    assert calls == [("services", 42)]


def test_a_part_that_is_down_ends_no_task_with_a_traceback(celery, process, monkeypatch, caplog):
    def down(*_):
        raise PartDownError("database", "the database did not answer")

    monkeypatch.setattr(tasks.jobs, "run", down)
    celery.tasks["longshore.build"]("42")
    assert "job 42 will be rung again: the database did not answer" in caplog.text


def test_two_ticks_of_one_sweep_at_once_are_one(process):
    calls = []

    def sweep(_):
        calls.append("begin")
        again("")

    again = tasks._periodic("longshore.reap", sweep)
    again("")
    assert calls == ["begin"]


def test_a_sweep_that_failed_runs_at_the_next_tick(process, caplog):
    def sweep(_):
        raise PartDownError("engine", "the container engine does not answer")

    tick = tasks._periodic("longshore.reap", sweep)
    tick("")
    tick("")
    assert caplog.text.count("longshore.reap will be tried again") == 2


@pytest.fixture
def beat(celery, monkeypatch):
    """The scheduler of beat, a clock in its place, and what it rang."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(beat_module.time, "monotonic", lambda: now.seconds)
    scheduler = beat_module.SteadyScheduler(celery)
    rung = []
    monkeypatch.setattr(scheduler, "apply_entry", lambda entry, producer: rung.append(entry.name))
    monkeypatch.setattr(type(scheduler), "producer", None)
    return SimpleNamespace(scheduler=scheduler, now=now, rung=rung)


def test_beat_rings_everything_at_once_and_then_each_in_its_interval(beat):
    assert beat.scheduler.tick() == 1.0
    assert set(beat.rung) == SWEEPS
    beat.rung.clear()
    beat.now.seconds += 1.0
    assert beat.scheduler.tick() == 1.0
    assert set(beat.rung) == {"longshore.dispatch", "longshore.judge"}


def test_beat_goes_on_when_the_wall_clock_is_set_back(beat, monkeypatch):
    beat.scheduler.tick()
    beat.rung.clear()
    monkeypatch.setattr(beat_module.time, "time", lambda: 0.0)
    beat.now.seconds += 60
    beat.scheduler.tick()
    assert set(beat.rung) == SWEEPS
