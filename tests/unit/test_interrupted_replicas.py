"""Replicas that ended because the engine did are not taken for broken ones."""

from itertools import count
from types import SimpleNamespace

import pytest
from docker.errors import APIError

from longshore.adapters.engine import DockerEngine
from longshore.domain.ports import ContainerSpec
from longshore.testing import Behaviour


@pytest.fixture
def restarts(stack):
    """Restarts the engine when time goes by for the n-th time, once."""

    def at(tick: int) -> None:
        ticks = count(1)
        stack.clock.ticks.append(lambda: stack.engine.restart() if next(ticks) == tick else None)

    return at


@pytest.mark.parametrize("tick", [1, 5])
def test_a_replica_that_ended_with_the_engine_is_started_again_and_proven(stack, restarts, tick):
    stack.create(config={"health_check": {"min_healthy_time": 2}})
    stack.deploy()
    restarts(tick)
    stack.drive()
    assert (stack.show(1).state, stack.job(1, "health_check").attempt) == ("succeeded", 1)
    assert ("resume", "longshore.hello.g1.web.1") in stack.engine.calls
    assert "longshore.hello.g1.web.1 ended with it: starting it again" in stack.log(1)


def test_the_restarted_replica_has_all_its_time_again(stack, restarts):
    stack.create(config={"health_check": {"min_healthy_time": 2, "healthy_deadline": 3}})
    stack.deploy()
    restarts(35)  # after 1.75 of the 2 s
    began = stack.clock.monotonic()
    stack.drive()
    assert stack.show(1).state == "succeeded"
    assert stack.clock.monotonic() - began > 3


def test_one_that_ended_between_its_proof_and_its_restart_policy_is_proven_again(stack, monkeypatch):
    keep = stack.engine.keep_running

    def keep_too_late(name: str) -> None:
        monkeypatch.setattr(stack.engine, "keep_running", keep)
        stack.engine.restart()
        keep(name)

    monkeypatch.setattr(stack.engine, "keep_running", keep_too_late)
    stack.create()
    stack.deploy()
    stack.drive()
    assert stack.show(1).state == "succeeded"
    (there,) = stack.engine.standing.values()
    assert (there.running, there.interrupted) == (True, False)


def test_one_that_ends_by_itself_after_the_engine_was_restarted_is_told_so(stack, restarts):
    stack.create(config={"health_check": {"min_healthy_time": 2}})
    stack.deploy()
    restarts(1)
    stack.clock.ticks.append(lambda: _break(stack))
    stack.drive()
    assert (stack.show(1).state, stack.show(1).error.code) == ("failed", "exited")


def _break(stack) -> None:
    """From its next start on it ends at once."""
    for name, spec in stack.engine.specs.items():
        image = stack.engine.images[spec.image_id]
        if not stack.engine.standing[name].running:
            stack.engine.images[spec.image_id] = type(image)(image.facts, Behaviour(exit_code=3))


SPEC = ContainerSpec("t.hello.g1.web.1", "sha256:1", {"longshore.stack": "t"}, "t.net", "10.64.0.3")


class KilledEngine:
    """The client of an engine that was killed while it started a container: it cannot start that one ever again."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.facts = {"Id": "1" * 64, "Running": False, "StartedAt": "0001-01-01T00:00:00Z"}

    def create_container(self, **_) -> None:
        self.calls.append("create")
        if self.facts:
            raise APIError("conflict", SimpleNamespace(status_code=409), "the name is in use")
        self.facts = {"Id": "2" * 64, "Running": True, "StartedAt": "2026-11-24T13:08:39.763090114Z"}

    def start(self, name: str) -> None:
        self.calls.append("start")
        if self.facts["Id"] == "1" * 64:
            reason = f"failed to create task for container: task {self.facts['Id']}: already exists"
            raise APIError("server error", SimpleNamespace(status_code=500), reason)

    def remove_container(self, name: str, **_) -> None:
        self.calls.append("remove")
        self.facts = {}

    def inspect_container(self, name: str) -> dict:
        state = {"Restarting": False, "ExitCode": 0, "OOMKilled": False, **self.facts}
        return {
            "Id": self.facts["Id"],
            "Name": f"/{name}",
            "Image": SPEC.image_id,
            "RestartCount": 0,
            "State": state,
            "Config": {"Labels": dict(SPEC.labels)},
            "NetworkSettings": {"Networks": {}},
        }

    def inspect_network(self, name: str) -> dict:
        return {"Created": "2026-11-24T12:00:00.5+01:00"}

    def __getattr__(self, name: str):
        return lambda *_, **__: {}


def test_one_that_a_killed_engine_left_half_started_is_made_anew():
    client = KilledEngine()
    engine = DockerEngine(SimpleNamespace(client=client), None, None)
    assert engine.start(SPEC).id == "2" * 64
    assert client.calls == ["create", "start", "remove", "create", "start"]


@pytest.mark.parametrize(
    ("started", "interrupted"),
    [
        ("2026-11-24T10:59:59.123456789Z", True),  # the engine started at 11:00:00.5Z
        ("2026-11-24T11:00:01Z", False),
        ("0001-01-01T00:00:00Z", False),
    ],
)
def test_who_was_started_before_the_engine_ended_with_it(started, interrupted):
    client = KilledEngine()
    client.facts["StartedAt"] = started
    engine = DockerEngine(SimpleNamespace(client=client), None, None)
    assert engine.find(SPEC.name).interrupted is interrupted
    client.facts["Running"] = True
    assert engine.find(SPEC.name).interrupted is False
