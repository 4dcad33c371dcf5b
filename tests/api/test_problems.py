"""Every refusal is a problem+json that says what, whose fault, and what to do."""

import io

import pytest
from longshore_api import app as api_app

MEDIA_TYPE = "application/problem+json"


def problem(answer, status: int) -> dict:
    assert (answer.status_code, answer.mimetype) == (status, MEDIA_TYPE)
    assert answer.json["status"] == status
    assert {"type", "title", "detail", "code", "fault"} <= set(answer.json)
    return answer.json


BAD_NAMES = ["", "A", "1a", "-a", "a-", "a_b", "a.b", "a b", "a" * 40, "a\n", "ä", "../a", "a/b", None, 7, ["a"]]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_a_name_that_cannot_be_is_a_400(admin, name):
    found = problem(admin("POST", "/v1/apps", json={"name": name}), 400)
    assert found["errors"][0]["field"] == "name"
    assert found["fault"] == "request"


BAD_BODIES = [
    {"name": "hello", "prot": 80},
    {"name": "hello", "port": 0},
    {"name": "hello", "replicas": 101},
    {"name": "hello", "domains": ["not a domain"]},
    {"name": "hello", "weight": 0},
    {"name": "hello", "env": {"1X": "y"}},
    {"name": "hello", "env": {"X": "a\0b"}},
    {"name": "hello", "source": {"image": "Not An Image"}},
    {"name": "hello", "health_check": {"path": "x"}},
    {"name": "hello", "build": {"dockerfile": "../x"}},
    [],
    "text",
    7,
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=repr)
def test_a_body_that_does_not_fit_is_a_400_and_makes_nothing(admin, body):
    problem(admin("POST", "/v1/apps", json=body), 400)
    assert admin("GET", "/v1/apps").json["items"] == []


@pytest.mark.parametrize("text", ["", "{", "not json", "{'a': 1}", "\xff"])
def test_json_that_is_not_json_is_a_400(hello, text):
    for path in ("/v1/apps", "/v1/apps/hello/deployments"):
        problem(hello("POST", path, data=text, content_type="application/json"), 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""])
def test_a_body_of_a_kind_we_do_not_read_is_a_415(hello, kind):
    for path in ("/v1/apps", "/v1/apps/hello/deployments"):
        found = problem(hello("POST", path, data="x=1", content_type=kind), 415)
        assert "application/json" in found["hint"]


def test_what_is_not_there_is_a_404(hello):
    for path in ("/v1/nothing", "/v1/apps/nothing", "/v1/apps/hello/deployments/7", "/v1/apps/nothing/releases"):
        assert problem(hello("GET", path), 404)["code"] == "not_found"


def test_a_method_that_is_not_there_is_a_405_and_says_which_are(hello):
    answer = hello("PUT", "/v1/apps", json={})
    assert problem(answer, 405)["code"] == "method_not_allowed"
    assert "POST" in answer.headers["Allow"]


def test_a_scope_that_does_not_suffice_is_a_403(as_):
    assert "deploy" in problem(as_("read")("POST", "/v1/apps", json={"name": "hello"}), 403)["hint"]


def test_a_name_that_is_taken_is_a_409(hello):
    assert problem(hello("POST", "/v1/apps", json={"name": "hello"}), 409)["code"] == "name_taken"


def test_a_domain_that_is_taken_is_a_409(hello):
    body = {"name": "other", "domains": ["HELLO.localhost"]}
    assert problem(hello("POST", "/v1/apps", json=body), 409)["code"] == "domain_taken"


class Unread:
    """A body that must not be read."""

    def read(self, *_):
        raise AssertionError("somebody read the body")

    readline = read


@pytest.mark.parametrize(
    ("kind", "path"),
    [("application/json", "/v1/apps"), ("multipart/form-data; boundary=x", "/v1/apps/hello/deployments")],
)
def test_a_body_over_the_limit_is_a_413_before_it_is_read(hello, web, kind, path):
    size = str(web.stack.settings.upload_limit + 10**6)
    given = {"environ_overrides": {"wsgi.input": Unread(), "CONTENT_LENGTH": size, "CONTENT_TYPE": kind}}
    assert problem(hello("POST", path, **given), 413)["code"] == "too_large"


def test_json_has_a_limit_of_its_own(hello):
    big = {"name": "x", "env": {"A": "x" * api_app.JSON_LIMIT}}
    problem(hello("POST", "/v1/apps", json=big), 413)


def test_what_nobody_foresaw_is_a_500_that_tells_nothing(web, hello, monkeypatch):
    monkeypatch.setattr("longshore_api.routes.apps.apps.show", lambda *_: 1 / 0)
    found = problem(hello("GET", "/v1/apps/hello"), 500)
    assert (found["code"], found["fault"]) == ("internal", "platform")
    assert "division" not in str(found)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=-1", "cursor=" + "9" * 40, "limit=1&cursor=%00"]
)
def test_a_page_that_cannot_be_is_a_400(hello, query):
    problem(hello("GET", f"/v1/apps/hello/deployments?{query}"), 400)


@pytest.mark.parametrize("cursor", ["9" * 40, "-1", "x"])
def test_a_place_in_a_log_that_cannot_be_is_a_400(web, hello, cursor):
    web.stack.deploy()
    problem(hello("GET", f"/v1/apps/hello/deployments/1/logs?cursor={cursor}"), 400)


@pytest.mark.parametrize("number", ["0", "-1", "x", "99999999999"])
def test_a_number_that_cannot_be_is_refused(hello, number):
    assert hello("GET", f"/v1/apps/hello/deployments/{number}").status_code in (400, 404)


def test_every_answer_says_that_it_is_not_to_be_kept_or_framed(hello):
    headers = hello("GET", "/v1/apps").headers
    assert (headers["Cache-Control"], headers["X-Frame-Options"]) == ("no-store", "DENY")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_an_upload_for_which_there_is_no_room_is_a_507(web, as_, context):
    web.stack.settle(disk_floor=10**18)
    full = api_app.create_app(web.stack.services)
    full.stack, caller = web.stack, as_()
    caller.client = full.test_client()
    assert caller("POST", "/v1/apps", json={"name": "hello"}).status_code == 201
    files = {"source": (io.BytesIO(context({"index.html": "hi"})), "source.tar")}
    answer = caller("POST", "/v1/apps/hello/deployments", data=files)
    assert (answer.status_code, answer.json["code"]) == (507, "disk_full")
    assert not list((web.stack.settings.root / "uploads").glob("*"))
