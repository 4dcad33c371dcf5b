"""Logs in three forms, what is down, and the documents about the API."""

import json

import pytest
from longshore_api.routes.health import parts as parts_seen_by_health

from longshore.errors import PartDownError
from longshore.services import logs, parts

CONTRACT = [
    ("post", "/v1/apps"),
    ("get", "/v1/apps"),
    ("get", "/v1/apps/{app}"),
    ("patch", "/v1/apps/{app}"),
    ("delete", "/v1/apps/{app}"),
    ("post", "/v1/apps/{app}/deployments"),
    ("get", "/v1/apps/{app}/deployments"),
    ("get", "/v1/apps/{app}/deployments/{number}"),
    ("get", "/v1/apps/{app}/deployments/{number}/logs"),
    ("get", "/v1/apps/{app}/deployments/{number}/events"),
    ("get", "/v1/apps/{app}/releases"),
    ("get", "/v1/apps/{app}/replicas"),
    ("post", "/v1/tokens"),
    ("get", "/v1/tokens"),
    ("delete", "/v1/tokens/{name}"),
    ("get", "/healthz"),
    ("get", "/readyz"),
]
LOG = "/v1/apps/hello/deployments/1/logs"


@pytest.fixture
def logged(web, hello):
    """hello#1 has ended, with three lines that are known."""
    web.stack.deploy()
    web.stack.drive()
    with web.stack.db.write() as session:
        from longshore.models import LogChunk

        session.query(LogChunk).delete()
    for line in ("one", "two", "three"):
        logs.append(web.stack.services, 1, "build", line)
    return hello


def events(text: str) -> list[dict[str, str]]:
    blocks = [block for block in text.split("\n\n") if block and not block.startswith((":", "retry"))]
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


def test_a_log_in_pages(logged):
    first = logged("GET", f"{LOG}?limit=2").json
    second = logged("GET", f"{LOG}?limit=2&cursor={first['next_cursor']}").json
    assert [line["text"] for line in first["items"]] == ["one", "two"]
    assert [line["text"] for line in second["items"]] == ["three"]
    assert second["next_cursor"] is None


def test_a_log_as_text(logged):
    answer = logged("GET", LOG, headers={"Accept": "text/plain"})
    assert (answer.mimetype, answer.text) == ("text/plain", "one\ntwo\nthree\n")


def test_a_log_as_a_stream_ends_with_the_deployment(logged):
    answer = logged("GET", LOG, headers={"Accept": "text/event-stream"})
    told = events(answer.text)
    assert answer.mimetype == "text/event-stream"
    assert [json.loads(one["data"])["text"] for one in told if one["event"] == "log"] == ["one", "two", "three"]
    assert json.loads(next(one["data"] for one in told if one["event"] == "deployment"))["state"] == "succeeded"
    assert told[-1]["event"] == "end"


def test_a_stream_goes_on_after_the_last_event_that_was_seen(logged):
    whole = events(logged("GET", LOG, headers={"Accept": "text/event-stream"}).text)
    seen = whole[0]["id"]
    rest = events(logged("GET", LOG, headers={"Accept": "text/event-stream", "Last-Event-ID": seen}).text)
    assert [json.loads(one["data"])["text"] for one in rest if one["event"] == "log"] == ["two", "three"]


@pytest.mark.parametrize("last", ["x", "-1", "", "9" * 40])
def test_a_last_event_that_cannot_be_breaks_no_stream(logged, last):
    answer = logged("GET", LOG, headers={"Accept": "text/event-stream", "Last-Event-ID": last})
    assert events(answer.text)[-1]["event"] == "end"


def test_streams_are_capped_and_given_back(web, logged):
    held = [web.extensions["longshore"].streams.acquire(blocking=False) for _ in range(16)]
    assert all(held)
    answer = logged("GET", LOG, headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.json["code"]) == (503, "too_many_streams")
    web.extensions["longshore"].streams.release()
    for _ in range(3):
        answer = logged("GET", LOG, headers={"Accept": "text/event-stream"})
        assert answer.status_code == 200
        answer.close()  # as a server does when all was sent


def test_a_stream_that_nobody_reads_is_given_back_too(logged):
    for _ in range(40):
        logged("HEAD", LOG, headers={"Accept": "text/event-stream"}).close()
    assert logged("GET", LOG, headers={"Accept": "text/event-stream"}).status_code == 200


# Health


def test_alive_is_not_the_same_as_ready(web):
    assert web.test_client().get("/healthz").json == {"status": "ok"}
    answer = web.test_client().get("/readyz")
    assert (answer.status_code, answer.json["ready"]) == (503, False)


def test_ready_when_a_worker_saw_everything_well(web):
    parts.check(web.stack.worker)
    answer = web.test_client().get("/readyz")
    assert (answer.status_code, answer.json["ready"]) == (200, True)


@pytest.mark.parametrize(("part", "fake"), [("engine", "engine"), ("registry", "registry"), ("router", "router")])
def test_what_is_down_is_named(web, part, fake):
    getattr(web.stack, fake).down = True
    parts.check(web.stack.worker)
    answer = web.test_client().get("/readyz")
    assert answer.status_code == 503
    assert [one["name"] for one in answer.json["parts"] if not one["ok"]] == [part]


def test_redis_is_looked_at_by_the_web_process_itself(web):
    parts.check(web.stack.worker)
    web.stack.queue.down = True
    down = [one["name"] for one in web.test_client().get("/readyz").json["parts"] if not one["ok"]]
    assert down == ["redis"]


def test_a_worker_that_was_not_seen_for_long_is_named(web):
    parts.check(web.stack.worker)
    web.stack.clock.sleep(60)
    assert "worker" in [one["name"] for one in web.test_client().get("/readyz").json["parts"] if not one["ok"]]


def test_a_database_that_is_down_is_named(web, monkeypatch):
    def down(_):
        raise PartDownError("database", "the database did not answer")

    monkeypatch.setattr(parts_seen_by_health, "look", down)
    answer = web.test_client().get("/readyz")
    assert (answer.status_code, [one["name"] for one in answer.json["parts"]]) == (503, ["database"])
    assert web.test_client().get("/healthz").status_code == 200


# Documents


def test_the_openapi_document_has_every_route_of_the_contract(web):
    document = web.test_client().get("/openapi.json").json
    assert document["openapi"].startswith("3.")
    missing = [(method, path) for method, path in CONTRACT if method not in document["paths"].get(path, {})]
    assert missing == []


def test_every_reference_in_the_openapi_document_leads_somewhere(web):
    document = web.test_client().get("/openapi.json").json
    references = [found for found in walk(document) if found.startswith("#/")]
    assert references
    for reference in references:
        place = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in place, reference
            place = place[part]


def walk(node):
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def test_every_operation_has_a_summary_answers_and_a_name_of_its_own(web):
    document = web.test_client().get("/openapi.json").json
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert all(one["summary"] and one["responses"] for one in operations)
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names))


def test_the_docs_load_without_any_other_host(web):
    page = web.test_client().get("/docs", follow_redirects=True)
    assert page.status_code == 200
    assert 'src="http' not in page.text.replace("'", '"')
