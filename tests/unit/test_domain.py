"""States, plan, names, image references, merge patches: the tables and rules that everything else stands on."""

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from longshore.domain import names
from longshore.domain.image_reference import ImageReference
from longshore.domain.plan import needs_build, plan
from longshore.domain.specs import merge_patch
from longshore.domain.states import (
    DEPLOYMENT_ENDED,
    DEPLOYMENT_MOVES,
    JOB_ENDED,
    JOB_MOVES,
    REPLICA_MOVES,
    DeploymentState,
    JobKind,
    JobState,
    ReplicaState,
)
from longshore.errors import InvalidRequestError, PlatformError
from longshore.models import App, Deployment, Job, Replica
from longshore.models.base import guard_move
from longshore.testing.clock import START

TABLES = {"deployment": DEPLOYMENT_MOVES, "job": JOB_MOVES, "replica": REPLICA_MOVES}
ILLEGAL = [
    pytest.param(table, state, target, id=f"{kind}-{state}-{target}")
    for kind, table in TABLES.items()
    for state in table
    for target in table
    if target not in table[state]
]


class Row:
    def __init__(self, state) -> None:
        self.state = state


@pytest.mark.parametrize(("table", "state", "target"), ILLEGAL)
def test_every_illegal_move_is_refused(table, state, target):
    with pytest.raises(PlatformError, match=f"is {state} and cannot become {target}"):
        guard_move("it", Row(state), target, table)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_state_is_in_its_table(table):
    assert set(table) == set(type(next(iter(table))))


def test_ended_is_what_has_no_move():
    assert {"succeeded", "failed", "cancelled", "superseded"} == DEPLOYMENT_ENDED
    assert {"succeeded", "failed", "cancelled", "skipped"} == JOB_ENDED


def test_draining_is_one_way():
    assert REPLICA_MOVES[ReplicaState.DRAINING] == {ReplicaState.REMOVED}


LACKING = [
    (Deployment, DeploymentState.QUEUED, DeploymentState.RUNNING, "generation"),
    (Deployment, DeploymentState.RUNNING, DeploymentState.SUCCEEDED, "release_id"),
    (Deployment, DeploymentState.RUNNING, DeploymentState.FAILED, "error_code"),
    (Deployment, DeploymentState.QUEUED, DeploymentState.SUPERSEDED, "superseded_by"),
    (Job, JobState.QUEUED, JobState.RUNNING, "owner"),
    (Job, JobState.RUNNING, JobState.FAILED, "error_code"),
]


@pytest.mark.parametrize(("model", "state", "target", "fact"), LACKING)
def test_a_move_without_its_facts_is_refused(model, state, target, fact):
    row = model(state=state)
    if model is Job:
        row.kind, row.deployment = JobKind.BUILD, Deployment(number=1, app=App(name="hello"))
    else:
        row.number, row.app = 1, App(name="hello")
    with pytest.raises(PlatformError, match=f"hello#1 cannot become {target} without .*{fact}"):
        row.move_to(target, START)
    assert row.state is state


@pytest.mark.parametrize(("table", "state"), [("deployments", "failed"), ("jobs", "running"), ("jobs", "nonsense")])
def test_the_database_itself_refuses_a_state_without_its_facts(stack, table, state):
    stack.create()
    stack.deploy()
    with pytest.raises(IntegrityError), stack.db.write() as session:
        session.execute(text(f"UPDATE {table} SET state = :state"), {"state": state})


def test_the_database_itself_holds_one_running_deployment_per_app(stack):
    stack.create()
    stack.deploy()
    stack.deploy(source={"current": True})
    with pytest.raises(IntegrityError), stack.db.write() as session:
        session.execute(update(Deployment.__table__).values(state="running", generation=1))


def test_the_database_itself_holds_one_replica_of_a_name_and_address(stack):
    stack.create(config={"replicas": 2})
    stack.deploy()
    stack.drive()
    for column in ("name", "address"):
        with pytest.raises(IntegrityError), stack.db.write() as session:
            session.execute(update(Replica.__table__).values({column: "same"}))


# The plan


def needs(jobs) -> dict[str, set[str]]:
    return {job.kind.value: set(job.needs) for job in jobs}


def test_on_one_engine_push_and_start_do_not_wait_for_each_other():
    assert needs(plan(builds=True)) == {
        "build": set(),
        "push": {JobKind.BUILD},
        "deploy": {JobKind.BUILD},
        "health_check": {JobKind.PUSH, JobKind.DEPLOY},
        "drain": {JobKind.HEALTH_CHECK},
    }


def test_on_several_engines_the_start_waits_for_the_push():
    assert needs(plan(builds=True, one_engine=False))["deploy"] == {JobKind.PUSH}


def test_without_a_build_a_plan_starts_at_deploy():
    assert needs(plan(builds=False)) == {"deploy": set(), "health_check": {"deploy"}, "drain": {"health_check"}}


@pytest.mark.parametrize(
    ("source", "built"),
    [
        ({"git": {"url": "https://example.com/x.git"}}, True),
        ({"upload": "x.tar"}, True),
        ({"image": "nginx"}, False),
        ({"release": 1}, False),
        ({"current": True}, False),
    ],
)
def test_only_code_is_built(source, built):
    assert needs_build(source) is built


@pytest.mark.parametrize("builds", [True, False])
@pytest.mark.parametrize("one_engine", [True, False])
def test_every_plan_can_be_worked_off_in_its_order(builds, one_engine):
    done: set[JobKind] = set()
    for job in plan(builds=builds, one_engine=one_engine):
        assert set(job.needs) <= done
        done.add(job.kind)


# Names

GOOD_NAMES = ["a", "hello", "a1", "my-app", "a" * 39]
BAD_NAMES = ["", "A", "1a", "-a", "a-", "a_b", "a.b", "a b", "a" * 40, "a\n", "ä", "a/b", "../a", "a%20"]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_an_app_may_be_called(name):
    assert names.matches(names.APP_NAME, name)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_an_app_may_not_be_called(name):
    assert not names.matches(names.APP_NAME, name)


def test_a_container_has_one_name_and_is_found_by_labels():
    assert names.container_name("longshore", "hello", 7, "web", 2) == "longshore.hello.g7.web.2"
    assert names.container_labels("s", "hello", 3, 7, "web", 2) == {
        "longshore.stack": "s",
        "longshore.app": "hello",
        "longshore.release": "3",
        "longshore.generation": "7",
        "longshore.process": "web",
        "longshore.slot": "2",
    }


def test_route_slots_take_turns():
    assert [names.other_route_slot(slot) for slot in (None, "a", "b")] == ["a", "b", "a"]


# Image references

DIGEST = "sha256:" + "a" * 64
REFERENCES = {
    "nginx": ("docker.io", "library/nginx", "latest", None, "nginx:latest"),
    "nginx:1": ("docker.io", "library/nginx", "1", None, "nginx:1"),
    "team/app:v1": ("docker.io", "team/app", "v1", None, "team/app:v1"),
    "host:5000/a:1": ("host:5000", "a", "1", None, "host:5000/a:1"),
    "host:5000/a": ("host:5000", "a", "latest", None, "host:5000/a:latest"),
    "localhost/a:2": ("localhost", "a", "2", None, "localhost/a:2"),
    "127.0.0.1:5001/hello:42": ("127.0.0.1:5001", "hello", "42", None, "127.0.0.1:5001/hello:42"),
    "Registry/a:1": ("Registry", "a", "1", None, "Registry/a:1"),
    "GHCR.io/Team".lower() + "/a": ("ghcr.io", "team/a", "latest", None, "ghcr.io/team/a:latest"),
    "[::1]:5000/a:1": ("[::1]:5000", "a", "1", None, "[::1]:5000/a:1"),
    f"a@{DIGEST}": ("docker.io", "library/a", None, DIGEST, f"a@{DIGEST}"),
    f"a:1@{DIGEST}": ("docker.io", "library/a", "1", DIGEST, f"a@{DIGEST}"),
    f"host:5000/x/y:1@{DIGEST}": ("host:5000", "x/y", "1", DIGEST, f"host:5000/x/y@{DIGEST}"),
    "a:20260101": ("docker.io", "library/a", "20260101", None, "a:20260101"),
    "a__b/c-d.e": ("docker.io", "a__b/c-d.e", "latest", None, "a__b/c-d.e:latest"),
}
NO_REFERENCES = [
    "",
    " ",
    "A",
    "a:",
    "a@",
    "a:b:c",
    "a/",
    "/a",
    "a//b",
    "a@sha256:abc",
    "a b",
    "Team/App",
    "a:-x",
    "a\n",
]


@pytest.mark.parametrize("text", REFERENCES)
def test_an_image_reference_is_read_as_the_engine_would(text):
    found = ImageReference.parse(text)
    assert (found.host, found.path, found.tag, found.digest, str(found)) == REFERENCES[text]


@pytest.mark.parametrize("text", REFERENCES)
def test_a_reference_written_out_is_read_as_the_same_place(text):
    found = ImageReference.parse(text)
    again = ImageReference.parse(str(found))
    assert (again.repository, again.version) == (found.repository, found.version)


@pytest.mark.parametrize("text", NO_REFERENCES)
def test_what_is_no_reference_is_refused_in_words(text):
    with pytest.raises(InvalidRequestError, match="is not an image reference"):
        ImageReference.parse(text)


# Merge patches: the examples of RFC 7396, appendix A

PATCHES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("base", "patch", "merged"), PATCHES)
def test_a_merge_patch_does_what_rfc_7396_says(base, patch, merged):
    before = repr(base)
    assert merge_patch(base, patch) == merged
    assert repr(base) == before
