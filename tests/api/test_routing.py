"""How the router treats an app's requests, over HTTP: at once, and never as a deployment."""

import pytest

from longshore.services import routing


def served(web):
    """What the router is to serve of the only app."""
    return routing.table(web.stack.worker)[0]


def test_limits_are_declared_with_the_app_and_changed_one_by_one(web, admin):
    body = {"name": "hello", "routing": {"max_body": "10m", "timeout": 30}}
    assert admin("POST", "/v1/apps", json=body).json["routing"]["max_body"] == 10 * 1024**2
    answer = admin("PATCH", "/v1/apps/hello", json={"routing": {"timeout": None, "redirect_https": True}})
    assert answer.status_code == 200
    assert answer.json["routing"] == {"max_body": 10 * 1024**2, "timeout": None, "redirect_https": True}
    assert served(web).routing.redirect_https
    assert admin("PATCH", "/v1/apps/hello", json={"routing": None}).json["routing"]["max_body"] is None


def test_no_deployment_comes_of_it(web, hello):
    web.stack.deploy()
    web.stack.drive()
    changes = {"routing": {"max_body": 1000}, "maintenance": "away", "max_rps": 5}
    assert hello("PATCH", "/v1/apps/hello", json=changes).status_code == 200
    assert len(hello("GET", "/v1/apps/hello/deployments").json["items"]) == 1
    assert (served(web).maintenance, served(web).max_rps) == ("away", 5)


def test_maintenance_on_and_off(web, hello):
    message = 'Back at 14:00 "sharp"\n%[src]'
    assert hello("PATCH", "/v1/apps/hello", json={"maintenance": message}).json["maintenance"] == message
    assert served(web).maintenance == message
    assert hello("PATCH", "/v1/apps/hello", json={"maintenance": None}).json["maintenance"] is None
    assert served(web).maintenance is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"maintenance": ""},
        {"maintenance": "a\u0000b"},
        {"maintenance": "x" * 501},
        {"maintenance": {"a": 1}},
        {"routing": {"max_body": -1}},
        {"routing": {"max_body": "lots"}},
        {"routing": {"timeout": 0}},
        {"routing": {"other": 1}},
        {"routing": "10m"},
    ],
)
def test_what_makes_no_sense_is_refused(web, hello, wrong):
    before = hello("GET", "/v1/apps/hello").json
    assert hello("PATCH", "/v1/apps/hello", json=wrong).status_code == 400
    assert hello("GET", "/v1/apps/hello").json == before
