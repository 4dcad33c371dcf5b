"""A deployment from its request to traffic, and what a failure at each point leaves behind."""

from dataclasses import replace

import pytest

from longshore.domain.specs import Build
from longshore.errors import AppError, ConflictError
from longshore.services import apps, deployments, releases
from longshore.testing import Behaviour


def states(view) -> dict[str, str]:
    return {job.kind: job.state for job in view.jobs}


def live(stack, app: str = "hello") -> tuple[str, ...]:
    return stack.router.led_to(app)[-1]


@pytest.fixture
def served(stack):
    """An app whose first release serves."""
    stack.create()
    stack.deploy()
    stack.drive()
    return stack


def test_a_source_is_built_pushed_started_checked_and_switched(stack):
    stack.create()
    stack.deploy()
    stack.drive()
    view = stack.show(1)
    assert (view.state, view.release, view.phase, view.why) == ("succeeded", 1, None, None)
    assert set(states(view).values()) == {"succeeded"}
    assert live(stack) == ("g1.web.1",)
    assert view.url == "http://hello.localhost:8080/"


def test_the_release_knows_where_its_image_lies(served):
    digest = served.registry.digest("hello", "1")
    from longshore.services import releases

    (release,) = releases.show_all(served.services, "hello", limit=10, cursor=None).items
    assert release.digest == digest
    assert release.live


def test_an_image_is_pulled_and_needs_no_build(stack):
    stack.engine.publish("nginx:1", ports=(80,))
    stack.create()
    stack.deploy(image="nginx:1")
    stack.drive()
    assert states(stack.show(1)) == {"deploy": "succeeded", "health_check": "succeeded", "drain": "succeeded"}
    assert stack.builder.requests == []


def test_an_image_that_only_this_host_has_is_taken_as_it_is(stack):
    stack.engine.add_image("mine:1", ports=(80,))
    stack.create()
    stack.deploy(image="mine:1")
    stack.drive()
    assert stack.show(1).state == "succeeded"
    assert "the copy on this host is used" in stack.log(1)


def test_replicas_get_names_labels_addresses_and_their_port(stack):
    stack.create(config={"replicas": 2, "port": 5000}, env={"COLOUR": "green"})
    stack.builder.behaviour = Behaviour(port=5000)
    stack.deploy()
    stack.drive()
    first, second = (stack.engine.specs[f"longshore.hello.g1.web.{slot}"] for slot in (1, 2))
    assert first.address != second.address
    assert first.env == {"PORT": "5000", "COLOUR": "green"}
    assert first.labels["longshore.generation"] == "1"
    assert stack.engine.kept == {first.name, second.name}


def test_a_new_release_replaces_the_old_one_and_removes_it(served):
    served.deploy()
    served.drive()
    assert live(served) == ("g2.web.1",)
    assert list(served.engine.standing) == ["longshore.hello.g2.web.1"]


def test_traffic_goes_from_old_to_new_with_nothing_in_between(served):
    served.deploy()
    served.drive()
    assert list(served.router.led_to("hello")) == [(), ("g1.web.1",), ("g2.web.1",)]


def test_a_failing_build_names_its_step_and_starts_nothing(stack):
    stack.create()
    stack.builder.error = AppError("the build failed at: [2/2] RUN false", code="build_failed", hint="See the log.")
    stack.deploy()
    stack.drive()
    view = stack.show(1)
    assert (view.state, view.error.code, view.error.fault) == ("failed", "build_failed", "app")
    assert states(view) == {
        "build": "failed",
        "push": "skipped",
        "deploy": "skipped",
        "health_check": "skipped",
        "drain": "succeeded",
    }
    assert view.release is None
    assert stack.engine.standing == {}


def test_a_failed_build_uses_up_no_release_number(stack):
    stack.create()
    stack.builder.error = AppError("no", code="build_failed")
    stack.deploy()
    stack.drive()
    stack.builder.error = None
    stack.deploy()
    stack.drive()
    assert stack.show(2).release == 1


BROKEN = {
    "exits at once": (Behaviour(exit_code=3, output=("boom",)), "exited"),
    "runs out of memory": (Behaviour(exit_code=137, out_of_memory=True), "out_of_memory"),
    "cannot be started": (Behaviour(cannot_start="executable file not found"), "cannot_start"),
    "listens nowhere": (Behaviour(port=None), "not_listening"),
    "listens on loopback only": (Behaviour(loopback_only=True), "not_listening"),
    "answers 500": (Behaviour(status=500), "unhealthy"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_second_version_leaves_the_first_serving(served, how):
    served.builder.behaviour, code = BROKEN[how]
    served.deploy()
    served.drive()
    view = served.show(2)
    assert (view.state, view.error.code, view.error.fault) == ("failed", code, "app")
    assert list(served.router.led_to("hello")) == [(), ("g1.web.1",)]
    assert list(served.engine.standing) == ["longshore.hello.g1.web.1"]


@pytest.mark.parametrize("how", BROKEN)
def test_the_version_after_a_broken_one_works(served, how):
    served.builder.behaviour, _ = BROKEN[how]
    served.deploy()
    served.drive()
    served.builder.behaviour = Behaviour()
    served.deploy()
    served.drive()
    assert (served.show(3).state, live(served)) == ("succeeded", ("g3.web.1",))


def test_the_last_lines_of_a_replica_that_died_are_in_the_log(served):
    served.builder.behaviour = Behaviour(exit_code=3, output=("Traceback", "ModuleNotFoundError: flask"))
    served.deploy()
    served.drive()
    assert "    ModuleNotFoundError: flask" in served.log(2)
    assert "exited with code 3" in served.show(2).error.message


def test_an_app_that_listens_for_itself_only_is_told_so(served):
    served.builder.behaviour = Behaviour(loopback_only=True)
    served.deploy()
    served.drive()
    error = served.show(2).error
    assert "on loopback only" in error.message
    assert "0.0.0.0" in error.hint


def test_another_port_is_found_used_and_remembered(stack):
    stack.create()
    stack.builder.behaviour = Behaviour(port=5000)
    stack.deploy()
    stack.drive()
    assert stack.show(1).state == "succeeded"
    assert stack.router.table[0].servers["a"][0].port == 5000
    assert "nothing listens on port 80, but 5000 does" in stack.log(1)
    stack.deploy()
    stack.drive()
    assert stack.engine.specs["longshore.hello.g2.web.1"].env["PORT"] == "5000"


def test_an_answer_must_be_the_one_that_was_declared(stack):
    stack.create(config={"health_check": {"body": "Goodbye", "healthy_deadline": 3}})
    stack.deploy()
    stack.drive()
    assert stack.show(1).error.code == "unhealthy"
    assert "'Goodbye' in the body" in stack.show(1).error.hint


def test_a_foreign_container_under_our_name_is_left_alone(stack):
    stack.create()
    stack.engine.occupy("longshore.hello.g1.web.1")
    stack.deploy()
    stack.drive()
    view = stack.show(1)
    assert (view.state, view.error.code, view.error.fault) == ("failed", "name_taken", "platform")


def test_a_failure_after_the_switch_gives_traffic_back_first(served):
    spoil = lambda answer: replace(answer, status=500) if "_b/" in answer.served_by else answer  # noqa: E731
    served.router.spoils = spoil
    served.deploy()
    served.drive()
    assert served.show(2).error.code == "unhealthy_through_router"
    assert list(served.router.led_to("hello")) == [(), ("g1.web.1",), ("g2.web.1",), ("g1.web.1",)]
    assert list(served.engine.standing) == ["longshore.hello.g1.web.1"]


def test_traffic_is_back_before_the_new_replica_is_stopped(served):
    served.router.spoils = lambda answer: replace(answer, status=500) if "_b/" in answer.served_by else answer
    stop, led = served.engine.stop, []
    served.engine.stop = lambda name, grace: (led.append(live(served)), stop(name, grace))
    served.deploy()
    served.drive()
    assert led == [("g1.web.1",)]


def test_a_first_version_that_fails_after_the_switch_leaves_no_route(stack):
    stack.create()
    stack.router.spoils = lambda answer: replace(answer, status=500)
    stack.deploy()
    stack.drive()
    assert stack.show(1).state == "failed"
    assert live(stack) == ()
    assert stack.engine.standing == {}


def test_an_old_replica_is_removed_only_when_its_requests_are_finished(served):
    served.router.held["hello", "a", "g1.web.1"] = 1
    began = served.clock.monotonic()
    served.deploy()
    served.drive()
    assert served.clock.monotonic() - began >= served.settings.drain_limit
    assert list(served.engine.standing) == ["longshore.hello.g2.web.1"]


def test_a_push_that_the_registry_does_not_hold_fails_before_the_switch(served):
    served.registry.loses = True
    served.deploy()
    served.run_on(400)
    assert (served.show(2).state, served.show(2).error.code) == ("failed", "digest_differs")
    assert live(served) == ("g1.web.1",)


def test_an_older_release_comes_back_with_its_own_configuration(served):
    served.deploy(env={"COLOUR": "blue"})
    served.drive()
    served.deploy(source={"release": 1})
    served.drive()
    assert served.show(3).state == "succeeded"
    assert served.engine.specs["longshore.hello.g3.web.1"].env == {"PORT": "80"}
    assert len(served.builder.requests) == 2


def test_build_steps_are_rows_with_time_and_cache(served):
    steps = served.job(1, "build").steps
    assert [(step.name, step.cached, step.seconds) for step in steps] == [
        ("[1/2] FROM python:3.13-slim", True, 0.0),
        ("[2/2] COPY . .", False, 2.0),
    ]


def test_build_folders_are_gone_afterwards(served):
    assert list((served.settings.root / "builds").iterdir()) == []


def test_every_state_is_told_as_an_event(served):

    page = deployments.show_events(served.services, "hello", 1, limit=100, cursor=None)
    kinds = [event.kind for event in page.items]
    assert [kind for kind in kinds if kind.startswith("deployment.")] == [
        "deployment.queued",
        "deployment.running",
        "deployment.succeeded",
    ]
    assert kinds.index("route.switched") < kinds.index("deployment.succeeded")


def test_a_full_disk_fails_the_build_before_it_begins(stack):
    stack.create()
    stack.settle(disk_floor=10**18)
    stack.deploy()
    stack.drive()
    error = stack.show(1).error
    assert (error.code, error.fault) == ("disk_full", "platform")
    assert "LONGSHORE_DISK_FLOOR" in error.hint
    assert stack.builder.requests == []


def test_what_is_written_for_the_classic_builder_has_no_cache_mounts(stack):
    url = "https://example.com/flask.git"
    stack.git.repositories[url] = {"app.py": "from flask import Flask\napp = Flask(__name__)\n", "requirements.txt": ""}
    stack.builder.rung = "classic"
    stack.engine.add_image("python:3.13-slim")
    stack.create()
    stack.deploy(source={"git": {"url": url}})
    stack.drive()
    written = releases.show_all(stack.services, "hello", limit=1, cursor=None).items[0].dockerfile
    assert "pip install -r" in written
    assert "--mount" not in written


def test_a_health_check_with_a_host_of_its_own_is_proven_by_the_apps_route(stack):
    stack.create(config={"health_check": {"host": "internal.example.com"}})
    stack.deploy()
    stack.drive()
    assert stack.show(1).state == "succeeded"


def test_an_older_release_goes_into_service_as_it_is(served):
    served.deploy()
    served.drive()
    served.deploy(source={"release": 1})
    served.drive()
    assert (served.show(3).state, served.show(3).release) == ("succeeded", 1)
    assert releases.show_all(served.services, "hello", limit=9, cursor=None).items[0].number == 2


def test_a_change_while_the_first_release_is_made_is_refused(stack):
    stack.create()
    stack.deploy()
    with pytest.raises(ConflictError, match="hello#1 is queued"):
        stack.reconfigure({"replicas": 3})


@pytest.mark.parametrize("key", ["LD_PRELOAD", "DOCKER_HOST", "PATH", "GODEBUG"])
def test_a_build_argument_that_programs_of_the_host_obey_is_refused(key):
    with pytest.raises(ValueError, match="cannot be a build argument"):
        Build(args={key: "x"})


def test_two_apps_never_have_one_host_name(stack):
    stack.create("one", domains=["two.localhost"])
    stack.create("three")
    with pytest.raises(ConflictError, match=r"two\.localhost belongs"):
        stack.create("two")
    apps.change(stack.services, "one", {"domains": ["three.example.com"]})
    apps.change(stack.services, "three", {"domains": ["free.example.com"]})
    apps.change(stack.services, "one", {"domains": ["three.localhost"]})
    with pytest.raises(ConflictError, match=r"three\.localhost belongs"):
        apps.change(stack.services, "three", {"domains": []})
