"""What is watched after the switch: a release that turns bad gives the requests back, by itself, to the old one."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import projects
import pytest
from harness import Prober, Stack, until
from traffic import SERVER

CLIENTS = 4
LATER = """\
import os, threading, time
{more}
threading.Timer({after}, turn_bad).start()
"""

DIES = LATER.format(more="def turn_bad():\n    os._exit(3)", after=3) + SERVER
EATS = (
    LATER.format(more="def turn_bad():\n    kept = []\n    while True:\n        kept.append(b'x' * 4000000)", after=3)
    + SERVER
)
SLOW = SERVER.replace("def say(self, text):", "def say(self, text):\n        time.sleep(0.5)")
FAILS = SERVER.replace('self.say(os.environ.get("VERSION", "0"))', "self.send_error(500)")


def worse(stack: Stack, app: str, code: str, **config: object) -> tuple[dict, Prober]:
    """How a deployment ended that was to be watched, and what the app answered meanwhile."""
    stack.deployed(app, projects.program(SERVER), env={"VERSION": "good"}, soak=30)
    with stack.probed(app, threads=2, every=0.02) as prober:
        view = stack.deploy(app, projects.program(code), env={"VERSION": "bad"}, **config)
        until(lambda: prober.course[-1] and prober.answers[-1][1] == "good", what="the old release answers again")
    return view, prober


def asked(stack: Stack, app: str, times: int) -> list[str]:
    """What an app answered, so many times in a row."""
    with httpx.Client(headers={"host": f"{app}.localhost"}, trust_env=False) as client:
        return [client.get(f"http://127.0.0.1:{stack.router_port}/").text for _ in range(times)]


@pytest.mark.parametrize(("code", "said"), [(DIES, "exited with code 3"), (EATS, "more memory than it may")])
def test_a_release_that_dies_while_it_is_watched_is_taken_back(stack: Stack, app: str, code: str, said: str) -> None:
    view, prober = worse(stack, app, code, resources={"memory": "64m"})
    assert (view["state"], view["error"]["code"], view["error"]["fault"]) == ("failed", "worse", "app")
    assert said in view["error"]["message"]
    assert (view["reverted_to"], prober.answers[-1][1]) == (1, "good")
    assert prober.gaps() <= 2
    assert stack.view(f"/v1/apps/{app}")["release"] == 1
    assert len(stack.containers(app)) == 1


@pytest.mark.parametrize(
    ("code", "said"), [(FAILS, "of its requests failed, against 0.0%"), (SLOW, "its answers take")]
)
def test_a_release_that_answers_worse_is_taken_back(stack: Stack, app: str, code: str, said: str) -> None:
    view, prober = worse(stack, app, code, health_check={"kind": "tcp"})
    assert (view["state"], view["reverted_to"]) == ("failed", 1)
    assert said in view["error"]["message"]
    assert prober.answers[-1][1] == "good"


def test_a_canary_gets_its_share_and_no_more(stack: Stack, app: str) -> None:
    canary = {"kind": "canary", "steps": [10, 100], "hold": 600}
    stack.deployed(app, projects.program(SERVER), env={"VERSION": "old"})
    view = stack.begin(app, projects.program(SERVER), env={"VERSION": "new"}, strategy=canary)
    stack.reached(view, "soaking")
    with ThreadPoolExecutor(CLIENTS) as clients:
        told = list(clients.map(lambda _: asked(stack, app, 10_000 // CLIENTS), range(CLIENTS)))
    answers = [text for one in told for text in one]
    assert abs(answers.count("new") / len(answers) - 0.1) <= 0.01
    assert "10 % of the requests" in stack.show(view)["why"]
    stack.cancel(view)
    assert stack.ended(view)["state"] == "cancelled"
    assert {stack.text(app) for _ in range(50)} == {"old"}


def test_recreate_has_one_of_them_at_a_time_and_says_what_that_costs(stack: Stack, app: str, record_property) -> None:
    stack.deployed(app, projects.program(SERVER), env={"VERSION": "1"}, strategy={"kind": "recreate"})
    with stack.probed(app, every=0.01) as prober:
        began = time.monotonic()
        view = stack.deployed(app, projects.program(SERVER), env={"VERSION": "2"})
        took = time.monotonic() - began
    assert list(dict.fromkeys(body for _, body in prober.answers)) == ["1", "2"]
    assert prober.gaps() == 1
    assert "nothing answers until the new ones do" in stack.log(view)
    record_property("recreate", f"{len(prober.failures) * 0.01:.1f} s without an answer, of {took:.1f} s")


def test_a_recreate_that_fails_brings_the_old_one_back(stack: Stack, app: str) -> None:
    stack.deployed(app, projects.program(SERVER), env={"VERSION": "1"}, strategy={"kind": "recreate"})
    view = stack.deploy(app, projects.program("raise SystemExit(7)"))
    assert (view["state"], view["error"]["code"]) == ("failed", "exited")
    until(lambda: stack.answers(app) == "1", what="the old release answers again")


def test_going_back_from_what_is_watched_takes_it_back(stack: Stack, app: str) -> None:
    stack.deployed(app, projects.program(SERVER), env={"VERSION": "1"}, soak=600)
    stack.begin(app, projects.program(SERVER), env={"VERSION": "2"})
    until(lambda: stack.answers(app) == "2", what="the second release serves")
    answer = stack.ask("POST", f"/v1/apps/{app}/rollback", json={})
    assert answer.status_code == 202, answer.text
    assert answer.json()["release"] == 1
    assert stack.ended(answer.json())["state"] == "succeeded"
    assert stack.text(app) == "1"
