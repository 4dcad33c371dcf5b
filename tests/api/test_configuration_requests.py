"""Environment, scale, restart, plans and blocked releases over HTTP."""

import io

import pytest

APP = "/v1/apps/hello"


@pytest.fixture
def live(hello, web):
    """With a release, and a variable."""
    hello("PUT", f"{APP}/env", json={"env": {"TOKEN": "hunter2-hunter2"}})
    web.stack.deploy()
    web.stack.drive()
    return hello


def test_a_change_before_the_first_release_is_only_declared(hello):
    put = hello("PUT", f"{APP}/env", json={"env": {"A": "1"}})
    scaled = hello("POST", f"{APP}/scale", json={"replicas": 3})
    assert (put.status_code, put.json["env_keys"]) == (200, ["A"])
    assert (scaled.status_code, scaled.json["replicas"], "Location" in scaled.headers) == (200, 3, False)
    assert hello("POST", f"{APP}/restart", json={}).json["code"] == "nothing_live"


def test_with_a_live_release_it_is_a_deployment(live):
    for method, path, body in (
        ("PUT", "env", {"env": {"A": "1"}}),
        ("POST", "scale", {"processes": {"web": 2}}),
        ("POST", "restart", {}),
    ):
        answer = live(method, f"{APP}/{path}", json=body)
        assert answer.status_code == 202, answer.json
        assert answer.headers["Location"] == f"{APP}/deployments/{answer.json['number']}"
        assert [job["kind"] for job in answer.json["jobs"]] == ["deploy", "health_check", "drain"]


@pytest.mark.parametrize(
    "body",
    [{}, {"replicas": 0}, {"replicas": 1, "processes": {"web": 1}}, {"processes": {}}, {"processes": {"web": 0}}],
)
def test_a_scale_that_says_nothing_sensible_is_refused(live, body):
    assert live("POST", f"{APP}/scale", json=body).status_code == 400


def test_values_are_for_admins_who_ask(live, as_):
    assert live("GET", f"{APP}/env").json == {"app": "hello", "keys": ["TOKEN"], "values": None}
    assert live("GET", f"{APP}/env?reveal=true").json["values"] == {"TOKEN": "hunter2-hunter2"}
    refused = as_("deploy")("GET", f"{APP}/env?reveal=true")
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert as_("read")("GET", f"{APP}/env").json["keys"] == ["TOKEN"]


def test_every_change_can_be_planned_and_a_plan_does_nothing(live, web):
    spec = {"spec": (io.BytesIO(b'{"config": {"replicas": 2}}'), "spec")}
    asked = [
        ("POST", "deployments", {"json": {"source": {"image": "nginx:1"}}}),
        ("POST", "deployments", {"data": {"spec": '{"config": {"replicas": 2}}', "source": spec["spec"]}}),
        ("PUT", "env", {"json": {"env": {"TOKEN": "another-value"}}}),
        ("POST", "scale", {"json": {"replicas": 2}}),
        ("POST", "restart", {"json": {}}),
    ]
    for method, path, content in asked:
        answer = live(method, f"{APP}/{path}?plan=true", **content)
        assert answer.status_code == 200, answer.json
        assert len(answer.json["plan_hash"]) == 32
        assert answer.json["live"] == 1
        assert "hunter2" not in answer.text
        assert "another-value" not in answer.text
    assert len(live("GET", f"{APP}/deployments").json["items"]) == 1
    assert not list((web.stack.settings.root / "uploads").glob("*"))


def test_a_plan_that_the_world_went_past_is_refused(live, web):
    body = {"env": {"TOKEN": "new"}}
    planned = live("PUT", f"{APP}/env?plan=true", json=body).json
    assert planned["env"]["TOKEN"]["old"] != planned["env"]["TOKEN"]["new"]
    live("POST", f"{APP}/scale", json={"replicas": 2})
    web.stack.drive()
    refused = live("PUT", f"{APP}/env", json={**body, "plan_hash": planned["plan_hash"]})
    assert (refused.status_code, refused.json["code"]) == (409, "plan_changed")
    again = live("PUT", f"{APP}/env?plan=true", json=body).json["plan_hash"]
    assert live("PUT", f"{APP}/env", json={**body, "plan_hash": again}).status_code == 202


def test_a_release_is_blocked_with_a_reason(live, web, as_):
    live("POST", f"{APP}/scale", json={"replicas": 2})
    web.stack.drive()
    blocked = live("PUT", f"{APP}/releases/1/block", json={"reason": "loses orders"})
    assert (blocked.status_code, blocked.json["blocked"]["reason"]) == (200, "loses orders")
    refused = live("POST", f"{APP}/rollback", json={"release": 1})
    assert (refused.status_code, refused.json["code"]) == (409, "release_blocked")
    assert "loses orders" in refused.json["detail"]
    second, first = live("GET", f"{APP}/releases").json["items"]
    assert (second["rollback"], first["rollback"]["possible"]) == ({"possible": False, "why": "it is live"}, False)
    assert as_("read")("DELETE", f"{APP}/releases/1/block").status_code == 403
    assert live("DELETE", f"{APP}/releases/1/block").json["blocked"] is None
    back = live("POST", f"{APP}/rollback", json={"release": 1})
    assert (back.status_code, back.json["changes"]["config"]) == (202, ["replicas"])
    assert live("PUT", f"{APP}/releases/9/block", json={"reason": "x"}).status_code == 404
