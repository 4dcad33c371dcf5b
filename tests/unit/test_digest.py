"""The digest of a failed deployment: written whoever decided that it failed, and before its replicas are gone."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from longshore.domain.redaction import Redactor
from longshore.errors import AppError, PartDownError
from longshore.models import Deployment
from longshore.services import deployments, digest, evidence, since_good, sweeps
from longshore.services.evidence import LINE_LIMIT, OUTPUT_LIMIT, Evidence, last_lines
from longshore.services.probes import KEPT, Probes
from longshore.testing import Behaviour

SECRET = "s3cret-value-that-stays"


@pytest.fixture
def served(stack):
    """An app whose first release serves."""
    stack.create(env={"TOKEN": SECRET, "COLOUR": "green"})
    stack.deploy()
    stack.drive()
    return stack


def fail(stack, number: int = 2, **behaviour):
    """Deploy something broken; its digest."""
    stack.builder.behaviour = Behaviour(**behaviour)
    stack.deploy()
    stack.drive()
    view = stack.show(number)
    assert view.state == "failed"
    return view.digest


def row_id(stack, number: int) -> int:
    return deployments.glance(stack.services, "hello", number).row_id


def test_a_success_has_none(served):
    assert served.show(1).digest is None


def test_a_replica_that_exits_tells_code_lines_and_cause(served):
    told = fail(served, exit_code=1, output=("Traceback", "ModuleNotFoundError: No module named 'flask'"))
    (replica,) = told.replicas
    assert (told.job, told.code, told.fault) == ("health_check", "exited", "app")
    assert (replica.running, replica.exit_code, replica.out_of_memory) == (False, 1, False)
    assert replica.output == ["Traceback", "ModuleNotFoundError: No module named 'flask'"]
    assert told.cause.startswith("The Python module flask is not in the image")
    assert served.engine.find(replica.name) is None


def test_the_last_probes_are_told(served):
    told = fail(served, status=503)
    probes = told.replicas[0].probes
    assert [probe.status for probe in probes] == [503] * KEPT
    assert probes[0].at < probes[-1].at
    assert told.cause == "It runs, but answers GET / with the status 503: look at what it printed."


def test_what_does_not_answer_tells_why(served):
    told = fail(served, loopback_only=True)
    (replica,) = told.replicas
    assert {(probe.status, probe.problem) for probe in replica.probes} == {(None, "connection refused")}
    assert [(one.port, one.loopback_only) for one in replica.listens] == [(80, True)]
    assert "loopback" in told.cause


def test_a_kill_by_the_kernel_tells_its_limit(served):
    served.builder.behaviour = Behaviour(exit_code=137, out_of_memory=True)
    served.deploy(config={"resources": {"memory": 64 * 1024**2}})
    served.drive()
    told = served.show(2).digest
    assert told.replicas[0].out_of_memory
    assert "64 MiB" in told.cause
    assert told.changes.config == ["resources.memory"]


def test_what_cannot_be_started_tells_the_engines_words(served):
    told = fail(served, cannot_start='exec: "gunicron": executable file not found in $PATH')
    assert (told.job, told.code) == ("deploy", "cannot_start")
    assert told.cause.startswith("Its command gunicron is not in the image")


def test_a_build_tells_its_step_and_its_last_lines(served):
    served.builder.error = AppError("the build failed at: [2/2] RUN false", code="build_failed")
    served.deploy()
    served.drive()
    told = served.show(2).digest
    assert (told.job, told.replicas) == ("build", [])
    assert "the build failed at: [2/2] RUN false" in "\n".join(told.log)


def test_what_changed_is_told_by_name_only(served):
    served.builder.behaviour = Behaviour(exit_code=1)
    served.deploy(
        config={"port": 9000, "health_check": {"path": "/up"}},
        env={"TOKEN": "another-long-secret", "COLOUR": None, "NEW": "third-long-secret"},
    )
    served.drive()
    told = served.show(2).digest
    assert told.changes.release == 1
    assert told.changes.env.model_dump() == {"added": ["NEW"], "changed": ["TOKEN"], "removed": ["COLOUR"]}
    assert told.changes.config == ["health_check.path", "port"]
    assert not [secret for secret in (SECRET, "another-long-secret", "third-long-secret") if secret in str(told)]


def test_a_first_deployment_has_nothing_to_be_compared_with(stack):
    stack.create()
    assert fail(stack, 1, exit_code=1).changes is None


def test_a_removed_variable_is_the_cause(served):
    served.builder.behaviour = Behaviour(exit_code=1, output=("KeyError: 'COLOUR'",))
    served.deploy(env={"COLOUR": None})
    served.drive()
    assert served.show(2).digest.cause.endswith("It was set in the last good release.")


def test_a_secret_that_was_printed_is_not_kept(served):
    told = fail(served, exit_code=1, output=(f"connecting with {SECRET}", "\x1b[31mred\x00\x1b[0m"))
    assert told.replicas[0].output == ["connecting with [redacted]", "red"]
    with served.db.read() as session:
        assert SECRET not in json.dumps(session.get_one(Deployment, row_id(served, 2)).digest)


def test_junk_is_cut(served):
    told = fail(served, exit_code=1, output=tuple("x" * 100_000 for _ in range(60)))
    lines = told.replicas[0].output
    assert sum(map(len, lines)) <= OUTPUT_LIMIT
    assert {len(line) for line in lines} == {LINE_LIMIT + len(" [line cut]")}


def test_no_half_of_a_secret_is_left_by_a_cut():
    line = "x" * (LINE_LIMIT - 4) + SECRET
    assert SECRET[:4] not in last_lines([line], Redactor([SECRET]))[0]


def test_the_last_lines_are_kept_and_not_the_first():
    assert last_lines([str(number) for number in range(100)], Redactor([]))[-1] == "99"
    assert last_lines(["a" * 10, "b" * 10], Redactor([]), limit=15) == ["b" * 10]
    assert last_lines([], Redactor([])) == []


def test_several_replicas_share_the_space_and_the_guilty_one_is_first(served):
    served.builder.behaviour = Behaviour(exit_code=1, output=tuple("x" * 1000 for _ in range(50)))
    served.deploy(config={"replicas": 3})
    served.drive()
    told = served.show(2).digest
    assert len(told.replicas) == 3
    assert 0 < sum(len(line) for one in told.replicas for line in one.output) <= OUTPUT_LIMIT


def test_a_list_of_deployments_does_not_carry_digests(served):
    fail(served, exit_code=1)
    page = deployments.show_all(served.services, "hello", limit=5, cursor=None)
    assert [view.digest for view in page.items] == [None, None]


def test_a_worker_that_dies_leaves_the_digest_to_the_clean_up(served, monkeypatch):
    monkeypatch.setattr("longshore.services.jobs.digest", SimpleNamespace(write=lambda *_: None))
    told = fail(served, exit_code=3, output=("boom",))
    assert told.replicas[0].output == ["boom"]
    assert told.replicas[0].probes == []


def test_a_deployment_that_failed_elsewhere_has_one_too(served):
    served.builder.behaviour = Behaviour(output=("still warming up",))
    served.deploy()
    for _ in range(3):
        served.do_next(served.worker)
    assert served.show(2).phase == "starting"
    with served.db.write() as session:
        session.get_one(Deployment, row_id(served, 2)).created_at -= timedelta(days=1)
    sweeps.enforce_deadlines(served.worker)
    served.drive()
    view = served.show(2)
    assert (view.state, view.error.code) == ("failed", "deadline")
    assert [one.output for one in view.digest.replicas] == [["still warming up"]]


def test_one_that_never_began_has_one(stack):
    stack.create()
    stack.deploy()
    stack.queue.lose_all()
    stack.clock.sleep(stack.settings.deployment_deadline + 60)
    sweeps.enforce_deadlines(stack.worker)
    view = stack.show(1)
    assert (view.state, view.digest.code, view.digest.replicas) == ("failed", "deadline", [])


def test_one_that_the_engine_did_not_tell_of_is_made_whole_by_the_clean_up(served, monkeypatch):
    monkeypatch.setattr("longshore.services.jobs._evidence", lambda *_: Evidence(partial=True))
    told = fail(served, exit_code=3, output=("boom",))
    assert (told.partial, told.replicas[0].output) == (False, ["boom"])


def test_an_engine_that_is_away_raises_nothing(served, monkeypatch):
    def away(name):
        raise PartDownError("engine", "away")

    monkeypatch.setattr(served.engine, "find", away)
    fail_id = row_id(served, 1)
    assert evidence.gather(served.worker, fail_id, Redactor([])).partial
    monkeypatch.setattr(served.worker.db, "read", away)
    digest.write(served.worker, fail_id)


def test_probes_are_a_ring_for_each_replica(stack):
    probes = Probes()
    for number in range(KEPT + 5):
        probes.note("a", 200 + number, "", stack.clock.now(), 0.1)
    probes.note("b", None, "connection refused", stack.clock.now(), 0.1)
    last = probes.last()
    assert [probe.status for probe in last["a"]] == list(range(205, 215))
    assert [probe.problem for probe in last["b"]] == ["connection refused"]


@pytest.mark.parametrize(
    ("steps", "base"),
    [
        (["[internal] load build definition", "[1/2] FROM docker.io/library/python:3.13-slim@sha256:ab"], "ab"),
        (["[build 1/2] FROM a@sha256:cc", "[stage-1 1/3] FROM b@sha256:dd AS x"], "dd"),
        (["[1/2] FROM docker.io/library/python:3.13-slim"], None),
        ([], None),
    ],
)
def test_the_base_image_is_read_from_the_builders_words(steps, base):
    assert (since_good.base_image(steps) or "@sha256:None").rpartition(":")[2] == str(base)
