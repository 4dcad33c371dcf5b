"""``longshore run``: what is asked for, what is printed, and the exit code."""

import pytest
from click.testing import CliRunner

from longshore.cli import run as verb
from longshore.cli.client import ServerEvent

RUNS = "/v1/apps/hello/runs"


class Api:
    """A stack that answers with one run."""

    def __init__(self, **view) -> None:
        self.asked: list[tuple] = []
        self.interrupted = False
        self.view = {"app": "hello", "number": 4, "state": "failed", "exit_code": None, "error": None, **view}

    def __call__(self):
        return self

    def post(self, path, json):
        self.asked.append(("POST", path, json))
        return self.view

    def get(self, path):
        return self.view

    def delete(self, path):
        self.asked.append(("DELETE", path))

    def events(self, path):
        yield ServerEvent("log", {"text": "one\ntwo"}, "1")
        if self.interrupted:
            raise KeyboardInterrupt
        yield ServerEvent("end", {}, None)


@pytest.fixture
def api(monkeypatch):
    def make(**view) -> Api:
        made = Api(**view)
        monkeypatch.setattr(verb, "Client", made)
        return made

    return make


def run(*arguments: str):
    return CliRunner().invoke(verb.run, list(arguments))


def test_the_command_is_what_stands_behind_the_dashes(api):
    stack = api(state="succeeded", exit_code=0)
    ran = run("hello", "--process", "worker", "--deadline", "9", "--", "ls", "-l", "--json")
    assert (ran.exit_code, ran.output) == (0, "one\ntwo\n")
    asked = {"command": ["ls", "-l", "--json"], "process": "worker", "deadline": 9}
    assert stack.asked == [("POST", RUNS, asked)]


def test_the_exit_code_is_passed_on(api):
    api(exit_code=75)
    assert run("hello", "--", "fail").exit_code == 75


def test_a_run_without_an_exit_code_says_why(api):
    error = {"code": "worker_lost", "message": "its worker went away", "fault": "platform", "hint": None}
    api(error=error)
    ran = run("hello", "ls")
    assert ran.exit_code == 1
    assert "its worker went away" in ran.output


def test_ctrl_c_cancels(api):
    stack = api()
    stack.interrupted = True
    assert run("hello", "ls").exit_code == 130
    assert stack.asked[-1] == ("DELETE", f"{RUNS}/4")


def test_a_command_is_needed(api):
    api()
    assert run("hello").exit_code == 2
