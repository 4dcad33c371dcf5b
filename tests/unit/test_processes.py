"""Several processes of one app: started, proven and switched together; from the configuration or from a Procfile."""

import pytest
from fakestack import GIT

from longshore.domain.procfile import Procfile, applied
from longshore.domain.specs import Config
from longshore.domain.states import Trigger
from longshore.errors import AppError
from longshore.services import apps, releases, replicas
from longshore.services.asked import CURRENT, NewDeployment
from longshore.services.deployments import reconfigure
from longshore.testing import Behaviour

WORKER = ["python", "worker.py"]
TWO = {"web": {}, "worker": {"command": WORKER, "replicas": 2, "resources": {"memory": "64m"}}}
SHELL = ["/bin/sh", "-c"]


def change(stack, config):
    """Ask for another configuration of what is live."""
    reconfigure(stack.services, "hello", NewDeployment(CURRENT, Trigger.API, "ann", config))


def shown(stack, app: str = "hello"):
    return {one.name: one for one in replicas.show_all(stack.services, app, limit=50, cursor=None).items}


def released(stack):
    return releases.show_all(stack.services, "hello", limit=1, cursor=None).items[0]


def test_every_process_has_its_replicas_command_limits_and_no_port_it_does_not_need(stack):
    stack.create(config={"processes": TWO, "command": ["python", "web.py"]})
    stack.deploy()
    stack.drive()
    names = [f"longshore.hello.g1.{one}" for one in ("web.1", "worker.1", "worker.2")]
    web, worker, other = (stack.engine.specs[name] for name in names)
    assert (web.command, web.env) == (["python", "web.py"], {"PORT": "80"})
    assert (worker.command, worker.env, worker.resources.memory) == (WORKER, {}, 64 * 1024**2)
    assert worker.labels["longshore.process"] == "worker"
    assert len({web.address, worker.address, other.address}) == 3
    assert {name: one.port for name, one in shown(stack).items()} == dict(zip(names, (80, 0, 0), strict=True))
    assert stack.router.led_to("hello")[-1] == ("g1.web.1",)
    assert stack.engine.kept == set(names)


def test_a_process_that_is_asked_on_a_port_has_one(stack):
    stack.create(config={"port": 5000, "processes": {"web": {}, "rpc": {"health_check": {"kind": "tcp"}}}})
    stack.builder.behaviour = Behaviour(port=5000)
    stack.deploy()
    stack.drive()
    assert stack.show(1).state == "succeeded"
    assert stack.engine.specs["longshore.hello.g1.rpc.1"].env == {"PORT": "5000"}


def test_all_old_processes_go_together(stack):
    stack.create(config={"processes": TWO})
    for _ in range(2):
        stack.deploy()
        stack.drive()
    assert {name.split(".")[2] for name in stack.engine.standing} == {"g2"}


def test_a_worker_that_crashes_fails_the_deployment_and_the_old_ones_go_on(stack):
    stack.create(config={"processes": TWO})
    stack.deploy()
    stack.drive()
    name = "longshore.hello.g2.worker.2"

    def crash() -> None:
        if stack.engine.standing.get(name) and stack.engine.standing[name].running:
            stack.engine.die(name, exit_code=3)

    stack.clock.ticks.append(crash)
    stack.deploy()
    stack.drive()
    view = stack.show(2)
    assert (view.state, view.error.message) == ("failed", f"{name} exited with code 3")
    assert view.error.hint.startswith("A worker process must keep running")
    assert stack.router.led_to("hello")[-1] == ("g1.web.1",)
    assert {one.split(".")[2] for one in stack.engine.standing} == {"g1"}
    assert f"{name} wrote nothing" in stack.log(2)


def test_an_app_without_web_gets_no_route_and_no_url(stack):
    stack.create(config={"processes": {"worker": {"command": WORKER}}})
    stack.deploy()
    stack.drive()
    view = stack.show(1)
    assert (view.state, view.url) == ("succeeded", None)
    assert apps.show(stack.services, "hello").url is None
    assert apps.show(stack.services, "hello").state == "running"
    assert stack.router.table == ()
    stack.deploy()
    stack.drive()
    assert list(stack.engine.standing) == ["longshore.hello.g2.worker.1"]


def test_web_may_be_left_out_later_and_its_old_replica_is_drained(stack):
    stack.create()
    stack.deploy()
    stack.drive()
    reconfigure(
        stack.services,
        "hello",
        NewDeployment(CURRENT, Trigger.API, "ann", {"processes": {"worker": {"command": WORKER}}}),
    )
    stack.drive()
    assert stack.show(2).state == "succeeded"
    assert list(stack.engine.standing) == ["longshore.hello.g2.worker.1"]
    assert stack.router.table == ()


def test_nothing_to_run_is_said(stack):
    stack.create(config={"processes": {"web": {"replicas": 0}}})
    stack.deploy()
    stack.drive()
    assert stack.show(1).error.code == "nothing_runs"


def test_what_an_app_and_a_release_show(stack):
    stack.create(config={"processes": TWO})
    assert {name: one.replicas for name, one in apps.show(stack.services, "hello").processes.items()} == {
        "web": 1,
        "worker": 2,
    }
    stack.deploy()
    stack.drive()
    assert released(stack).processes["worker"].command == WORKER


class Tree:
    """One file, or none."""

    def __init__(self, text: str | None) -> None:
        self._text = text

    def read_text(self, path: str, limit: int = 0) -> str | None:
        return self._text if path == "Procfile" else None


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("gunicorn app:app --bind :$PORT", "exec gunicorn app:app --bind :$PORT"),
        ("exec gunicorn app:app", "exec gunicorn app:app"),
        ("python a.py && python b.py", "python a.py && python b.py"),
        ("DEBUG=1 python a.py", "DEBUG=1 python a.py"),
    ],
)
def test_a_line_of_a_procfile_is_a_shell_line(line, command):
    found = Procfile.of(Tree(f"# ours\n\nweb: {line}\ncelery_beat:celery beat\n"))
    assert found.commands == {"web": [*SHELL, command], "celery-beat": [*SHELL, "exec celery beat"]}


@pytest.mark.parametrize("text", ["web gunicorn", "web: a\nweb: b", "web:", "9: x", "web: a\0b", f"{'w' * 21}: x"])
def test_a_line_that_cannot_be_used_is_named(text):
    with pytest.raises(AppError, match=r"line \d of the Procfile") as caught:
        Procfile.of(Tree(text))
    assert caught.value.code == "bad_procfile"


@pytest.mark.parametrize("text", [None, "", "# nothing\n"])
def test_without_a_process_there_is_no_procfile(text):
    assert Procfile.of(Tree(text)) is None


@pytest.mark.parametrize("config", [{"command": ["x"]}, {"processes": {"worker": {"command": ["x"]}}}])
def test_what_the_app_declares_itself_stands(config):
    given = Config.model_validate(config)
    assert applied(Procfile({"web": ["w"]}), given, {}) == (given, {})


def push(stack, procfile: str | None, **facts):
    files = {"Dockerfile": "FROM python:3.13-slim\nCOPY . .\n"}
    stack.worker.git.repositories = {GIT: {**files, **({"Procfile": procfile} if procfile else {})}}
    view = stack.deploy(**facts)
    stack.drive()
    return stack.show(view.number)


def running(stack) -> dict[str, str]:
    return {
        f"{name.split('.', 3)[3]}": (stack.engine.specs[name].command or [""])[-1] for name in stack.engine.standing
    }


def test_a_release_line_of_a_procfile_runs_from_the_first_release_on_and_no_longer_than_it_is_there(stack):
    stack.create()
    push(stack, "web: serve\nrelease: migrate\n")
    push(stack, "web: serve\n")
    assert [[job.kind for job in stack.show(number).jobs if job.kind == "release_command"] for number in (1, 2)] == [
        ["release_command"],
        [],
    ]
    assert [spec.command for spec in stack.engine.ran] == [[*SHELL, "exec migrate"]]


def test_a_procfile_is_followed_from_release_to_release(stack):
    stack.create()
    assert push(stack, "web: serve\nworker: work\nrelease: migrate\n").state == "succeeded"
    assert running(stack) == {"web.1": "exec serve", "worker.1": "exec work"}
    assert released(stack).config["release_command"]["command"] == [*SHELL, "exec migrate"]
    reconfigure(
        stack.services, "hello", NewDeployment(CURRENT, Trigger.API, "ann", {"processes": {"worker": {"replicas": 2}}})
    )
    stack.drive()
    assert running(stack) == {"web.1": "exec serve", "worker.1": "exec work", "worker.2": "exec work"}
    push(stack, "web: serve --more\nworker: work hard\n")
    assert running(stack) == {"web.1": "exec serve --more", "worker.1": "exec work hard", "worker.2": "exec work hard"}
    assert released(stack).config["release_command"] is None
    push(stack, None)
    assert running(stack) == {"web.1": ""}


def test_processes_declared_later_take_over_from_the_procfile(stack):
    stack.create()
    push(stack, "web: serve\nworker: work\n")
    push(stack, "web: other\nworker: other\n", config={"processes": {"worker": {"command": WORKER}}})
    assert running(stack) == {"web.1": "exec serve", "worker.1": "worker.py"}


def test_a_procfile_that_only_names_a_release_command_leaves_web_to_the_image(stack):
    stack.create()
    push(stack, "release: migrate\n")
    assert running(stack) == {"web.1": ""}
    assert released(stack).config["release_command"]["command"] == [*SHELL, "exec migrate"]
    assert "the source has a Procfile: release" in stack.log(1)


def test_a_bad_procfile_fails_the_build(stack):
    stack.create()
    view = push(stack, "web serve\n")
    assert (view.state, view.error.code, view.error.fault) == ("failed", "bad_procfile", "app")
