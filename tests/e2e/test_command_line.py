"""The ``longshore`` command, as people and machines use it."""

from pathlib import Path

import projects
import pytest
from harness import Stack, until


@pytest.fixture
def folder(tmp_path: Path, app: str) -> Path:
    """A folder with a web server in it, named like the app."""
    path = tmp_path / app
    path.mkdir()
    for name, text in projects.web("by hand").items():
        (path / name).write_text(text)
    return path


def test_deploy_follows_to_the_end_and_prints_the_url(stack: Stack, folder: Path) -> None:
    ran = stack.cli("deploy", str(folder))
    assert ran.code == 0, ran.said
    assert f"http://{folder.name}.localhost:{stack.router_port}/" in ran.out
    for kind in ("build", "push", "deploy", "health_check"):
        assert f"{kind} succeeded" in ran.out
    assert stack.text(folder.name) == "by hand"


def test_deploy_exits_with_1_when_the_deployment_failed(stack: Stack, folder: Path) -> None:
    (folder / "app.py").write_text("raise SystemExit(9)")
    ran = stack.cli("deploy", str(folder))
    assert ran.code == 1, ran.said
    assert "exited with code 9" in ran.err
    assert "Traceback" not in ran.said


def test_every_verb_speaks_json(stack: Stack, folder: Path) -> None:
    app = folder.name
    view = stack.cli("deploy", str(folder), "--json").json
    assert (view["id"], view["state"]) == (f"{app}#1", "succeeded")
    assert app in [one["name"] for one in stack.cli("apps", "--json").json]
    status = stack.cli("status", app, "--json").json
    assert (status["app"]["state"], len(status["replicas"])) == ("running", 1)
    assert [one["number"] for one in stack.cli("deployments", app, "--json").json] == [1]
    assert [one["live"] for one in stack.cli("releases", app, "--json").json] == [True]
    assert any("COPY" in chunk["text"] for chunk in stack.cli("logs", app, "--json").json)


def test_every_verb_speaks_to_people(stack: Stack, folder: Path) -> None:
    app = folder.name
    assert stack.cli("deploy", str(folder)).code == 0
    for verb in (["apps"], ["status", app], ["deployments", app], ["releases", app], ["logs", app]):
        ran = stack.cli(*verb)
        assert ran.code == 0, ran.said
        assert app in ran.out, verb
    assert stack.cli("logs", app, "--follow").code == 0


def test_what_longshore_toml_says_counts(stack: Stack, folder: Path, app: str) -> None:
    (folder / "longshore.toml").write_text('port = 8181\nreplicas = 2\n[env]\nWHO = "toml"\n')
    telling = (folder / "app.py").read_text().replace("'by hand'", "os.environ['WHO']")
    (folder / "app.py").write_text(telling)
    assert stack.cli("deploy", str(folder)).code == 0
    assert stack.text(app) == "toml"
    facts = stack.view(f"/v1/apps/{app}")
    assert (facts["port"], facts["replicas"], facts["env_keys"]) == (8181, 2, ["WHO"])


def test_a_token_is_made_listed_used_and_revoked(stack: Stack, app: str) -> None:
    stack.make(app)
    made = stack.cli("token", "create", f"for-{app}", "--scope", "read", "--app", app)
    text = made.out.strip()
    assert made.code == 0, made.said
    with stack.client(text) as reader:
        assert [one["name"] for one in reader.get("/v1/apps").json()["items"]] == [app]
        assert reader.get("/v1/apps/hello").status_code == 404
        assert reader.delete(f"/v1/apps/{app}").status_code == 403
    listed = stack.cli("token", "list", "--json")
    assert f"for-{app}" in [one["name"] for one in listed.json]
    assert text not in listed.out
    assert stack.cli("token", "revoke", f"for-{app}").code == 0
    with stack.client(text) as reader:
        assert reader.get("/v1/apps").status_code == 401


@pytest.mark.parametrize("verb", [["status", "no-such-app"], ["logs", "no-such-app"], ["deploy", "--app", "Bad_Name"]])
def test_a_mistake_gets_a_sentence_and_a_code(stack: Stack, verb: list[str]) -> None:
    ran = stack.cli(*verb)
    assert ran.code != 0
    assert ran.err.strip()
    assert "Traceback" not in ran.said


def test_doctor_finds_every_part_fine(stack: Stack) -> None:
    ran = stack.cli("doctor", "--json")
    assert [one for one in ran.json if one["problem"]] == []
    assert ran.code == 0
    parts = {one["part"] for one in ran.json}
    assert {"engine", "registry", "router", "redis", "database", "disk", "build rung", "build limits"} <= parts
    assert "wrong" not in stack.cli("doctor").out


def test_a_virtual_environment_and_the_stacks_own_home_are_no_part_of_a_source(stack: Stack, app: str) -> None:
    folder = stack.folder / app
    folder.mkdir()
    for name, text in projects.web("light luggage").items():
        (folder / name).write_text(text)
    (folder / "venv" / "bin").mkdir(parents=True)
    (folder / "venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (folder / "venv" / "bin" / "python").symlink_to("/usr/bin/python3")
    (folder / ".longshore").mkdir()
    (folder / ".longshore" / "sockets").symlink_to("/run")
    ran = stack.cli("deploy", str(folder), "--app", app)
    assert ran.code == 0, ran.said
    assert stack.text(app) == "light luggage"


def test_an_app_is_deleted_when_told_so(stack: Stack, app: str) -> None:
    stack.make(app)
    assert stack.cli("delete", app).code != 0  # nobody is there to say yes
    assert stack.cli("delete", app, "--yes").code == 0
    until(lambda: stack.ask("GET", f"/v1/apps/{app}").status_code == 404, what="the app is gone")
