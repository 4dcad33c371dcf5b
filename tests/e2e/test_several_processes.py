"""Several processes of one app, really run: declared, or read from a Procfile."""

import time
from pathlib import Path

import projects
from harness import Stack, docker

WORKER = 'import time\nprint("at work", flush=True)\ntime.sleep(600)\n'
CRASHING = 'import time\nprint("no queue", flush=True)\ntime.sleep(1)\nraise SystemExit(3)\n'
TWO = {"web": {}, "worker": {"command": ["python", "worker.py"], "resources": {"memory": "64m"}}}


def with_worker(text: str, worker: str = WORKER) -> dict[str, str]:
    return {**projects.web(text), "worker.py": worker}


def names(stack: Stack, app: str) -> list[str]:
    return [name.removeprefix(f"{stack.name}.{app}.") for name in stack.containers(app)]


def test_web_and_worker_switch_together_or_not_at_all(stack: Stack, app: str) -> None:
    stack.deployed(app, with_worker("one"), processes=TWO)
    assert names(stack, app) == ["g1.web.1", "g1.worker.1"]
    ports = {one["process"]: one["port"] for one in stack.view(f"/v1/apps/{app}/replicas")["items"]}
    assert ports == {"web": 80, "worker": 0}
    inside = docker("inspect", "--format", "{{.HostConfig.Memory}} {{.Config.Env}}", f"{stack.name}.{app}.g1.worker.1")
    assert inside.startswith(f"{64 * 1024**2} ")
    assert "PORT=" not in inside

    failed = stack.deploy(app, with_worker("two", CRASHING))
    assert (failed["state"], failed["error"]["code"], failed["error"]["fault"]) == ("failed", "exited", "app")
    assert "worker.1 exited with code 3" in failed["error"]["message"]
    assert "no queue" in stack.log(failed)
    assert (stack.text(app), names(stack, app)) == ("one", ["g1.web.1", "g1.worker.1"])

    stack.deployed(app, with_worker("three"))
    assert (stack.text(app), names(stack, app)) == ("three", ["g3.web.1", "g3.worker.1"])


def test_an_app_without_web_runs_and_is_not_routed(stack: Stack, app: str) -> None:
    began = time.monotonic()
    view = stack.deployed(app, with_worker("nobody"), processes={"worker": TWO["worker"]})
    assert time.monotonic() - began > 2
    assert (view["url"], stack.view(f"/v1/apps/{app}")["url"]) == (None, None)
    assert names(stack, app) == ["g1.worker.1"]
    assert stack.get(f"{app}.localhost").status_code == 404


def test_a_command_in_the_container_says_whether_it_is_healthy(stack: Stack, app: str) -> None:
    code = "import os, sys; sys.exit(0 if os.path.exists('/tmp/ready') else 'not ready')"
    check = {"kind": "command", "command": ["python", "-c", code], "healthy_deadline": 8, "interval": 0.5}
    ready = WORKER.replace("import time", "import time\ntime.sleep(1)\nopen('/tmp/ready', 'w').close()")
    processes = {"worker": {**TWO["worker"], "health_check": check}}
    stack.deployed(app, with_worker("", ready), processes=processes)
    failed = stack.deploy(app, with_worker("", WORKER))
    assert failed["error"]["code"] == "unhealthy"
    assert failed["error"]["message"].endswith(
        "was not healthy within 8 s: the command python exited with code 1: not ready"
    )
    assert names(stack, app) == ["g1.worker.1"]


def test_a_procfile_says_what_runs(stack: Stack, app: str) -> None:
    stack.deployed(app, {**with_worker("by Procfile"), "Procfile": "web: python app.py\nworker: python worker.py\n"})
    assert stack.text(app) == "by Procfile"
    assert names(stack, app) == ["g1.web.1", "g1.worker.1"]
    command = docker("inspect", "--format", "{{json .Config.Cmd}}", f"{stack.name}.{app}.g1.worker.1")
    assert command == '["/bin/sh","-c","exec python worker.py"]'


def test_the_command_line_takes_processes_from_longshore_toml_and_shows_them(
    stack: Stack, app: str, tmp_path: Path
) -> None:
    declared = '[processes.web]\n[processes.worker]\ncommand = ["python", "worker.py"]\nreplicas = 2\n'
    for name, text in {**with_worker("by TOML"), "longshore.toml": declared}.items():
        (tmp_path / name).write_text(text)
    ran = stack.cli("deploy", str(tmp_path), "--app", app)
    assert ran.code == 0, ran.said
    status = stack.cli("status", app).out
    assert "processes: web 1, worker 2" in status
    assert "web 1, worker 2" in stack.cli("apps").out
