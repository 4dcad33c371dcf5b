"""Locks and the queue over HTTP: who may, what is refused, and what the answers look like."""

import io
from datetime import timedelta

import pytest

from longshore.services import parts, sweeps


@pytest.fixture
def live(web, hello):
    """The app hello, served; asked by an admin."""
    web.stack.deploy()
    web.stack.drive()
    return hello


def lock(caller, **body):
    return caller("POST", "/v1/apps/hello/lock", json={"reason": "freeze", **body})


def problem(answer, status: int) -> dict:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    return answer.json


def in_seconds(web, seconds: float) -> str:
    return (web.stack.clock.now() + timedelta(seconds=seconds)).isoformat()


IMAGE = {"source": {"image": "nginx:1"}}


# The lock


def test_a_lock_is_shown_with_its_app_until_it_is_lifted(web, live, as_):
    assert live("GET", "/v1/apps/hello").json["lock"] is None
    answer = lock(as_("deploy"), mode="wait", until="2026-01-01T16:00:00+02:00")
    assert answer.status_code == 200
    assert answer.json["lock"] == {
        "reason": "freeze",
        "mode": "wait",
        "owner": "deploy None",
        "since": "2026-01-01T12:00:00Z",
        "until": "2026-01-01T14:00:00Z",
    }
    assert live("GET", "/v1/apps/hello").json == answer.json
    assert live("GET", "/v1/apps").json["items"] == [answer.json]
    lifted = live("DELETE", "/v1/apps/hello/lock")
    assert (lifted.status_code, lifted.json["lock"]) == (200, None)


def test_a_lock_refuses_unless_it_says_otherwise(live):
    assert lock(live).json["lock"]["mode"] == "refuse"


def test_a_locked_app_refuses_deployments_with_a_409(live):
    lock(live)
    found = problem(live("POST", "/v1/apps/hello/deployments", json=IMAGE), 409)
    assert (found["code"], found["fault"]) == ("locked", "request")
    assert found["detail"] == "hello is locked by admin None: freeze"
    assert "longshore unlock hello" in found["hint"]


class Unread:
    """A body that must not be read."""

    def read(self, *_):
        raise AssertionError("somebody read the body")

    readline = read


def test_a_locked_app_refuses_an_upload_before_it_is_read(live):
    lock(live)
    kind = "multipart/form-data; boundary=x"
    given = {"environ_overrides": {"wsgi.input": Unread(), "CONTENT_LENGTH": "1000", "CONTENT_TYPE": kind}}
    assert problem(live("POST", "/v1/apps/hello/deployments", **given), 409)["code"] == "locked"


def test_of_a_change_that_is_refused_nothing_takes_effect(live):
    lock(live)
    answer = live("PATCH", "/v1/apps/hello", json={"weight": 3, "replicas": 2})
    assert problem(answer, 409)["code"] == "locked"
    shown = live("GET", "/v1/apps/hello").json
    assert (shown["weight"], shown["replicas"]) == (1.0, 1)


def test_what_belongs_to_the_app_changes_under_a_lock(live):
    lock(live)
    answer = live("PATCH", "/v1/apps/hello", json={"weight": 3, "queue": "all"})
    assert (answer.status_code, answer.json["weight"], answer.json["queue"]) == (200, 3, "all")


def test_what_is_only_declared_changes_under_a_lock(hello):
    lock(hello)
    answer = hello("PATCH", "/v1/apps/hello", json={"replicas": 2})
    assert (answer.status_code, answer.json["replicas"]) == (200, 2)


def test_a_lock_that_lets_in_answers_what_is_waited_for(web, live):
    lock(live, mode="wait", until=in_seconds(web, 7200))
    answer = live("POST", "/v1/apps/hello/deployments", json=IMAGE)
    assert answer.status_code == 202
    assert answer.json["why"] == "waits for the lock of admin None: freeze until 14:00 UTC"
    assert answer.json["waiting"] == {
        "for": "lock",
        "blocker": "lock of admin None",
        "position": 0,
        "since": "2026-01-01T12:00:00Z",
        "estimate_seconds": 7200,
    }
    change = live("PATCH", "/v1/apps/hello", json={"replicas": 2})
    assert (change.status_code, change.json["waiting"]["position"]) == (202, 1)


def test_a_locked_app_is_deleted_by_an_admin(web, live):
    lock(live)
    assert live("DELETE", "/v1/apps/hello").status_code == 202
    web.stack.drive()
    assert live("GET", "/v1/apps/hello").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "   "},
        {"reason": "x" * 201},
        {"reason": "two\nlines"},
        {"reason": "\x1b[2Jcleared"},
        {"reason": None},
        {"reason": "x", "mode": "maybe"},
        {"reason": "x", "mode": None},
        {"reason": "x", "until": "tomorrow"},
        {"reason": "x", "until": "2026-01-01T14:00:00"},
        {"reason": "x", "owner": "somebody"},
    ],
    ids=repr,
)
def test_a_lock_that_cannot_be_is_a_400(live, body):
    problem(live("POST", "/v1/apps/hello/lock", json=body), 400)
    assert live("GET", "/v1/apps/hello").json["lock"] is None


@pytest.mark.parametrize(
    "until",
    [
        "2026-01-01T12:00:00Z",
        "2020-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "2026-01-01T13:00:00+02:00",
    ],
)
def test_an_end_that_is_over_or_ages_away_is_a_422(live, until):
    assert problem(lock(live, until=until), 422)["code"] == "bad_until"


def test_the_lock_of_somebody_else_is_a_409_and_lifting_it_a_403(live, as_):
    lock(live)
    other = as_("deploy")
    assert problem(lock(other), 409)["code"] == "locked"
    found = problem(other("DELETE", "/v1/apps/hello/lock"), 403)
    assert (found["code"], found["hint"]) == (
        "forbidden",
        "Ask admin None, or somebody whose token has the scope admin.",
    )


def test_who_only_reads_locks_nothing(live, as_):
    reader = as_("read")
    assert lock(reader).status_code == 403
    assert reader("DELETE", "/v1/apps/hello/lock").status_code == 403


def test_an_app_that_is_not_there_is_not_locked(admin):
    problem(lock(admin), 404)
    problem(admin("DELETE", "/v1/apps/hello/lock"), 404)


def test_the_line_of_an_app_is_declared_with_it(admin):
    answer = admin("POST", "/v1/apps", json={"name": "hello", "queue": "all"})
    assert (answer.status_code, answer.json["queue"]) == (201, "all")
    assert admin("POST", "/v1/apps", json={"name": "other"}).json["queue"] == "newest"
    problem(admin("PATCH", "/v1/apps/hello", json={"queue": "some"}), 400)
    assert admin("PATCH", "/v1/apps/hello", json={"queue": None}).json["queue"] == "newest"


# The queue


def test_the_queue_is_empty_when_nothing_is_asked_for(admin):
    assert admin("GET", "/v1/queue").json == {"items": [], "next_cursor": None}


def test_the_queue_shows_each_deployment_that_is_not_over(web, live, as_):
    lock(live, mode="wait")
    live("POST", "/v1/apps/hello/deployments", json=IMAGE)
    (one,) = as_("read")("GET", "/v1/queue").json["items"]
    assert one == {
        "deployment": "hello#2",
        "app": "hello",
        "number": 2,
        "state": "queued",
        "phase": None,
        "trigger": "api",
        "actor": "admin None",
        "job": "deploy",
        "since": "2026-01-01T12:00:00Z",
        "why": "waits for the lock of admin None: freeze",
        "waiting": {
            "for": "lock",
            "blocker": "lock of admin None",
            "position": 0,
            "since": "2026-01-01T12:00:00Z",
            "estimate_seconds": None,
        },
        "elapsed_seconds": 0,
        "estimate_seconds": None,
    }


def test_the_queue_comes_in_pages(web, live):
    live("PATCH", "/v1/apps/hello", json={"queue": "all"})
    for _ in range(3):
        live("PATCH", "/v1/apps/hello", json={"replicas": 2})
    page = live("GET", "/v1/queue?limit=2").json
    assert [one["number"] for one in page["items"]] == [2, 3]
    rest = live("GET", f"/v1/queue?limit=2&cursor={page['next_cursor']}").json
    assert ([one["number"] for one in rest["items"]], rest["next_cursor"]) == ([4], None)


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=x", "cursor=0-", "cursor=1-%00"])
def test_a_page_of_the_queue_that_cannot_be_is_a_400(admin, query):
    problem(admin("GET", f"/v1/queue?{query}"), 400)


def test_a_token_for_one_app_sees_that_one_in_the_queue(web, as_):
    for name in ("hello", "other"):
        web.stack.create(name)
        web.stack.deploy(name)
    seen = as_("read", app="other")("GET", "/v1/queue").json["items"]
    assert [one["deployment"] for one in seen] == ["other#1"]
    assert len(as_("read")("GET", "/v1/queue").json["items"]) == 2


def test_the_document_names_what_is_waited_for_as_the_answers_do(web):
    kinds = web.test_client().get("/openapi.json").json["components"]["schemas"]
    assert "for" in kinds["WaitingView"]["properties"]
    assert {"lock", "queue"} <= set(kinds["AppView"]["properties"])


def test_an_upload_is_taken_by_an_app_whose_lock_lets_in(web, live, context):
    lock(live, mode="wait")
    files = {"source": (io.BytesIO(context({"index.html": "hi"})), "source.tar")}
    answer = live("POST", "/v1/apps/hello/deployments", data=files, content_type="multipart/form-data")
    assert (answer.status_code, answer.json["waiting"]["for"]) == (202, "lock")


# Workers


def test_a_queue_that_no_worker_takes_from_is_a_part_that_is_missing(web):
    stack = web.stack
    stack.clock.sleep(25)
    stack.settle(worker_queues="builds")
    sweeps.beat(stack.another_worker())
    parts.check(stack.worker)
    answer = web.test_client().get("/readyz")
    assert answer.status_code == 503
    (missing,) = [part for part in answer.json["parts"] if not part["ok"]]
    assert (missing["name"], missing["problem"]) == ("worker", "no worker takes from the queue deploys,periodic")
    assert missing["hint"] == "Start one: `longshore worker --queues deploys,periodic`."
    stack.settle(worker_queues="deploys,periodic")
    sweeps.beat(stack.another_worker("worker-3"))
    assert web.test_client().get("/readyz").status_code == 200
