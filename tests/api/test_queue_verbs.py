"""``queue``, ``lock``, ``unlock``, ``status``: the command over the real API, without a server between them."""

import json
from datetime import UTC, datetime, timedelta

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from longshore.cli import client
from longshore.cli.root import cli
from longshore.errors import LongshoreError
from longshore.services import jobs, parts
from longshore.services.locks import NewLock, lock
from longshore.services.tokens import Caller, Scope


@pytest.fixture
def command(web, admin, monkeypatch):
    """Runs the command as an admin."""
    token = admin.headers["Authorization"].removeprefix("Bearer ")
    monkeypatch.setenv("LONGSHORE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LONGSHORE_TOKEN", token)
    real, transport = httpx.Client, httpx.WSGITransport(app=web)
    monkeypatch.setattr(client.httpx, "Client", lambda **given: real(**{**given, "transport": transport}))

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, words, standalone_mode=False)

    return run


@pytest.fixture
def live(web, hello, command):
    """The app hello, served."""
    parts.check(web.stack.worker)
    web.stack.deploy()
    web.stack.drive()
    return web.stack


def test_an_empty_queue_is_a_sentence(command):
    assert command("queue").output == "Nothing runs and nothing waits.\n"
    assert json.loads(command("queue", "--json").output) == []


def test_the_queue_is_a_table_in_the_words_of_the_api(command, live):
    live.deploy()
    assert jobs.claim(live.worker, live.ring("build"))
    live.deploy(source={"current": True})
    live.clock.sleep(75)
    parts.check(live.worker)
    said = command("queue").output
    header, first, second = said.splitlines()
    assert header.split() == ["deployment", "state", "job", "for", "left", "by", "position", "why"]
    assert first.split() == ["hello#2", "building", "build", "1", "min", "15", "s", "0", "s", "api", "test"]
    assert second.startswith("hello#3")
    assert second.endswith(live.show(3).why)
    assert [one["deployment"] for one in json.loads(command("queue", "--json").output)] == ["hello#2", "hello#3"]


def test_a_lock_and_its_end(command, live):
    said = command("lock", "hello", "freeze").output
    assert said == (
        "hello is locked by admin None: freeze (since 2026-01-01 12:00:00 UTC; new deployments are refused)\n"
    )
    refused = command("lock", "hello", "freeze", "--until", "2020-01-01T00:00Z").exception
    assert isinstance(refused, LongshoreError)
    assert refused.code == "bad_until"
    assert command("unlock", "hello").output == "hello is not locked.\n"


def test_maintenance_is_switched_on_and_off(command, live):
    said = command("maintenance", "hello", "on", "Back at 14:00").output
    assert said == "hello is in maintenance: Back at 14:00\n"
    assert "in maintenance: Back at 14:00" in command("status", "hello").output
    assert command("maintenance", "hello", "off").output == "hello answers for itself.\n"
    assert "come back" in json.loads(command("maintenance", "hello", "on", "--json").output)["maintenance"]


def test_a_lock_that_lets_in_until_an_instant(command, live):
    view = json.loads(
        command("lock", "hello", "freeze", "--wait", "--until", "2026-01-01T16:00+02:00", "--json").output
    )
    assert (view["lock"]["mode"], view["lock"]["until"]) == ("wait", "2026-01-01T14:00:00Z")
    assert json.loads(command("unlock", "hello", "--json").output)["lock"] is None


@pytest.mark.parametrize(
    ("length", "meant"),
    [("2h", timedelta(hours=2)), ("1d12h30m5s", timedelta(days=1, hours=12, minutes=30, seconds=5))],
)
def test_a_lock_for_a_length_of_time_ends_so_long_from_now(command, live, monkeypatch, length, meant):
    sent = {}
    monkeypatch.setattr(client.Client, "post", lambda _, path, json: sent.update(json) or {})
    command("lock", "hello", "freeze", "--for", length, "--json")
    assert abs(datetime.fromisoformat(sent["until"]) - datetime.now(UTC) - meant) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--for", "soon"],
        ["--for", ""],
        ["--for", "2"],
        ["--for", "1h1d"],
        ["--for", "99999d"],
        ["--until", "tomorrow"],
        ["--until", ""],
        ["--until", "2030-01-01T14:00"],
        ["--for", "1h", "--until", "2030-01-01T14:00Z"],
    ],
    ids=" ".join,
)
def test_an_end_that_cannot_be_is_refused_before_anything_is_asked(command, live, wrong):
    ended = command("lock", "hello", "freeze", *wrong)
    assert ended.exception is not None
    assert isinstance(ended.exception, click.UsageError)
    assert json.loads(command("status", "hello", "--json").output)["app"]["lock"] is None


def test_status_tells_the_lock_and_the_wait_in_the_same_words(command, live):
    ci = Caller("ci", Scope.DEPLOY, None, "1")
    until = live.clock.now() + timedelta(hours=2)
    lock(live.services, "hello", NewLock("freeze", "wait", until), ci)
    live.deploy()
    live.clock.sleep(1)
    lines = command("status", "hello").output.splitlines()
    assert lines[2] == (
        "locked by ci until 2026-01-01 14:00:00 UTC: freeze (since 2026-01-01 12:00:00 UTC; new deployments wait)"
    )
    assert "hello#2 queued: waits for the lock of ci: freeze until 14:00 UTC" in lines
    assert "position 0, since 2026-01-01 12:00:00 UTC, about 1 h 59 min more" in lines


def test_status_of_an_app_without_a_lock_says_nothing_of_one(command, live):
    said = command("status", "hello").output
    assert "lock" not in said
    assert "position" not in said


def test_a_deployment_of_a_locked_app_ends_with_the_words_of_the_api(command, live, tmp_path):
    command("lock", "hello", "freeze")
    ended = command("deploy", str(tmp_path), "--app", "hello", "--image", "nginx:1")
    assert str(ended.exception) == "hello is locked by admin None: freeze"
    assert ended.exception.code == "locked"


def test_a_project_declares_the_line_of_an_app_that_is_missing(command, web, tmp_path):
    (tmp_path / "longshore.toml").write_text('name = "shop"\nqueue = "all"\n')
    command("deploy", str(tmp_path), "--image", "nginx:1", "--detach")
    assert json.loads(command("status", "shop", "--json").output)["app"]["queue"] == "all"
