"""Volumes and digests over HTTP."""

import pytest

from longshore.testing import Behaviour

DATA = {"data": {"path": "/data"}}


@pytest.fixture
def keeping(hello, web):
    """The app hello with a volume, served."""
    body = {"source": {"git": {"url": "https://example.com/shop.git"}}, "config": {"volumes": DATA}}
    assert hello("POST", "/v1/apps/hello/deployments", json=body).status_code == 202
    web.stack.drive()
    return hello


def test_they_are_listed(keeping):
    (volume,) = keeping("GET", "/v1/apps/hello/volumes").json["items"]
    assert (volume["app"], volume["name"], volume["state"]) == ("hello", "data", "present")
    assert volume["engine_name"] == "longshore.hello.data"


def test_one_that_is_used_is_409(keeping):
    answer = keeping("DELETE", "/v1/apps/hello/volumes/data?confirm=data")
    assert (answer.status_code, answer.json["code"]) == (409, "volume_in_use")


def test_a_deleted_app_says_what_it_keeps_and_that_is_removed_by_name(keeping, web):
    answer = keeping("DELETE", "/v1/apps/hello")
    assert (answer.status_code, answer.json["kept_volumes"]) == (202, ["data"])
    web.stack.drive()
    assert keeping("GET", "/v1/apps/hello").status_code == 404
    assert len(keeping("GET", "/v1/apps/hello/volumes").json["items"]) == 1
    assert keeping("DELETE", "/v1/apps/hello/volumes/data").status_code == 400
    answer = keeping("DELETE", "/v1/apps/hello/volumes/data?confirm=data")
    assert (answer.status_code, answer.json["state"]) == (202, "removing")
    web.stack.drive()
    assert keeping("GET", "/v1/apps/hello/volumes").status_code == 404


def test_only_an_admin_removes(keeping, as_):
    read, deploy = as_("read"), as_("deploy")
    for caller in (read, deploy):
        assert caller("DELETE", "/v1/apps/hello/volumes/data?confirm=data").status_code == 403
    assert read("GET", "/v1/apps/hello/volumes").status_code == 200
    assert as_("read", app="other")("GET", "/v1/apps/hello/volumes").status_code == 404


@pytest.mark.parametrize("volume", [{"path": "/etc"}, {"path": "/"}, {"path": "../x"}, {"source": "/", "path": "/x"}])
def test_a_volume_that_leads_elsewhere_is_400(hello, volume):
    body = {"name": "other", "volumes": {"data": volume}}
    assert hello("POST", "/v1/apps", json=body).status_code == 400


def test_a_failed_deployment_shows_its_digest(keeping, web):
    web.stack.builder.behaviour = Behaviour(exit_code=1, output=("ModuleNotFoundError: No module named 'flask'",))
    body = {"source": {"git": {"url": "https://example.com/shop.git"}}, "config": {"port": 9000}}
    keeping("POST", "/v1/apps/hello/deployments", json=body)
    web.stack.drive()
    digest = keeping("GET", "/v1/apps/hello/deployments/2").json["digest"]
    assert digest["cause"].startswith("The Python module flask is not in the image")
    assert (digest["code"], digest["changes"]["config"]) == ("exited", ["port"])
    assert keeping("GET", "/v1/apps/hello/deployments/1").json["digest"] is None
