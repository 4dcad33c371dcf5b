"""Failures as people make them: each tells the right cause, and shows the evidence after its container is gone."""

import projects
import pytest
from harness import Stack

FAST = {"health_check": {"healthy_deadline": 3}}
HUNGRY = "hoard = []\nwhile True:\n    hoard.append(bytearray(8 * 1024**2))\n"
MISSING_ENV = "import os\nprint('reading the settings', flush=True)\nos.environ['DATABASE_URL']\n"


def digest_of(stack: Stack, app: str, source: object, **config: object) -> dict:
    view = stack.deploy(app, source, **config)
    assert view["state"] == "failed"
    assert stack.containers(app) == []
    return view["digest"]


@pytest.mark.parametrize(
    ("files", "config", "cause"),
    [
        pytest.param(
            projects.listening_on(8123, 8124),
            FAST,
            "It listens on the ports 8123, 8124, but it is asked on port 80",
            id="wrong port",
        ),
        pytest.param(
            projects.web("inside", '[("127.0.0.1", int(os.environ["PORT"]))]'),
            FAST,
            "It listens on port 80 on loopback (127.0.0.1) only",
            id="loopback only",
        ),
        pytest.param(
            projects.program("import flask\n"), {}, "The Python module flask is not in the image", id="missing module"
        ),
        pytest.param(
            projects.program(HUNGRY),
            {"resources": {"memory": 64 * 1024**2}},
            "It was killed because it used more memory than its limit of 64 MiB",
            id="out of memory",
        ),
        pytest.param(
            projects.program(MISSING_ENV), {}, "The environment variable DATABASE_URL is not set", id="missing env"
        ),
        pytest.param(
            projects.steps("RUN echo about to fail && false"),
            {},
            "This step of the Dockerfile fails: ",
            id="failing build step",
        ),
        pytest.param(
            projects.program("print('never run')\n"),
            {"command": ["gunicron", "app:app"]},
            "Its command gunicron is not in the image",
            id="command not found",
        ),
    ],
)
def test_the_cause_is_told(stack: Stack, app: str, files: dict[str, str], config: dict, cause: str) -> None:
    digest = digest_of(stack, app, files, **config)
    assert digest["cause"].startswith(cause), digest
    assert (digest["fault"], digest["partial"]) == ("app", False)


def test_the_evidence_outlives_the_container_and_what_changed_is_told(stack: Stack, app: str) -> None:
    stack.deployed(app, projects.web("good"), env={"COLOUR": "green"})
    broken = projects.program("import sys\nprint('cannot go on', flush=True)\nsys.exit(7)\n")
    view = stack.deploy(app, broken, env={"COLOUR": "a value nobody sees"}, resources={"cpus": 0.5})
    digest = view["digest"]
    (replica,) = digest["replicas"]
    assert (replica["running"], replica["exit_code"], replica["output"]) == (False, 7, ["cannot go on"])
    assert replica["probes"] or digest["job"] == "health_check"
    assert digest["changes"]["env"] == {"added": [], "changed": ["COLOUR"], "removed": []}
    assert (digest["changes"]["release"], digest["changes"]["config"]) == (1, ["resources.cpus"])
    assert "a value nobody sees" not in str(view)
    assert stack.text(app) == "good"
    said = stack.cli("why", app).said
    assert f"health_check of {view['id']} failed (exited, the app's own fault)" in said
    assert "ended with exit code 7" in said
    assert "cannot go on" in said
    assert "cannot go on" in stack.cli("status", app).said


def test_the_last_probes_are_told(stack: Stack, app: str) -> None:
    files = projects.web("never well")
    files["app.py"] = files["app.py"].replace("send_response(200)", "send_response(503)")
    digest = digest_of(stack, app, files, **FAST)
    probes = digest["replicas"][0]["probes"]
    assert len(probes) == 10
    assert probes[-1]["status"] == 503
    assert digest["cause"].startswith("It runs, but answers GET / with the status 503")
