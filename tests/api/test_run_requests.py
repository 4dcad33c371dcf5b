"""Runs over HTTP."""

import pytest

from longshore.services import runs
from longshore.testing import Behaviour

RUNS = "/v1/apps/hello/runs"


@pytest.fixture
def live(hello, web):
    """The app hello, live."""
    web.stack.engine.publish("nginx:1", Behaviour(endings={"fail": (7,)}, output=("one", "two")))
    web.stack.deploy(image="nginx:1")
    web.stack.drive()
    return hello


def test_a_run_is_taken_on_followed_and_listed(live, web):
    answer = live("POST", RUNS, json={"command": ["fail", "now"]})
    assert (answer.status_code, answer.headers["location"]) == (202, f"{RUNS}/1")
    assert (answer.json["state"], answer.json["command"], answer.json["exit_code"]) == ("queued", ["fail", "now"], None)
    web.stack.drive()
    view = live("GET", f"{RUNS}/1").json
    assert (view["state"], view["exit_code"], view["error"]["code"]) == ("failed", 7, "exited")
    assert [one["number"] for one in live("GET", RUNS).json["items"]] == [1]
    assert live("GET", f"{RUNS}/1/logs", headers={"accept": "text/plain"}).text == "one\ntwo\n"
    assert live("GET", f"{RUNS}/1/logs").json["items"][0]["text"] == "one"
    stream = live("GET", f"{RUNS}/1/logs", headers={"accept": "text/event-stream"}).text
    assert [line for line in stream.splitlines() if line.startswith("event: ")] == [
        "event: log",
        "event: log",
        "event: run",
        "event: end",
    ]


@pytest.mark.parametrize(
    "body", [{}, {"command": []}, {"command": "ls"}, {"command": ["ls"], "deadline": 0}, {"command": ["ls"], "x": 1}]
)
def test_what_is_no_run_is_refused(live, body):
    assert live("POST", RUNS, json=body).status_code == 400


def test_nothing_live_nothing_there_and_nobody_allowed(hello, as_, web):
    assert hello("POST", RUNS, json={"command": ["ls"]}).json["code"] == "nothing_live"
    assert hello("GET", f"{RUNS}/1").status_code == 404
    assert hello("GET", f"{RUNS}/1/logs").status_code == 404
    assert hello("DELETE", f"{RUNS}/1").status_code == 404
    reader = as_("read")
    assert reader("POST", RUNS, json={"command": ["ls"]}).status_code == 403
    assert reader("DELETE", f"{RUNS}/1").status_code == 403


def test_a_run_is_cancelled_once(live, web):
    live("POST", RUNS, json={"command": ["ls"]})
    assert live("DELETE", f"{RUNS}/1").json["state"] == "cancelled"
    again = live("DELETE", f"{RUNS}/1")
    assert (again.status_code, again.json["code"]) == (409, "ended")
    web.stack.drive()
    assert runs.show(web.stack.services, "hello", 1).exit_code is None
