"""Configuration is a release: changed, scaled, restarted and gone back with, while nobody notices."""

import projects
from harness import Stack, until

SAYS = projects.program(projects.SERVER.format(body='os.environ.get("WHO", "nobody")', addresses=projects.ON_PORT))


def shown(stack: Stack, view: dict) -> dict:
    end = stack.ended(view)
    assert end["state"] == "succeeded", end["error"]
    return end


def test_environment_scale_restart_and_rollback_fail_no_request(stack: Stack, app: str) -> None:
    stack.deployed(app, SAYS, env={"WHO": "first", "KEPT": "secret-value-1"})
    path = f"/v1/apps/{app}"
    with stack.probed(app, threads=2, every=0.01) as prober:
        changed = stack.ask("PUT", f"{path}/env", json={"env": {"WHO": "second"}})
        assert changed.status_code == 202, changed.text
        assert [job["kind"] for job in changed.json()["jobs"]] == ["deploy", "health_check", "drain"]
        shown(stack, changed.json())
        assert stack.text(app) == "second"
        shown(stack, stack.ask("POST", f"{path}/scale", json={"replicas": 2}).json())
        before = stack.containers(app)
        assert len(before) == 2
        restarted = shown(stack, stack.ask("POST", f"{path}/restart", json={}).json())
        assert restarted["release"] == 3
        assert not set(before) & set(stack.containers(app))
        back = stack.ask("POST", f"{path}/rollback", json={"release": 1}).json()
        assert back["changes"] == {
            "config": ["replicas"],
            "env": {"added": ["KEPT"], "changed": ["WHO"], "removed": []},
        }
        assert "secret-value" not in str(back)
        shown(stack, back)
        assert stack.text(app) == "first"
    assert prober.failures == []
    assert prober.bodies() == {"first", "second"}
    assert stack.view(f"{path}/env") == {"app": app, "keys": ["KEPT", "WHO"], "values": None}


def test_the_command_changes_plans_and_refuses(stack: Stack, app: str) -> None:
    stack.deployed(app, SAYS)
    assert stack.cli("env", "set", app, "WHO=me").code == 0
    assert stack.text(app) == "me"
    looked = stack.cli("env", app, "--reveal")
    assert "me" in looked.out, looked.said
    planned = stack.cli("rollback", app, "--plan", "--json").json
    assert (planned["live"], list(planned["env"])) == (2, ["WHO"])
    assert "env WHO" in stack.cli("rollback", app, "--plan").out
    assert stack.cli("env", "unset", app, "WHO").code == 0
    refused = stack.cli("rollback", app, "--as-planned", planned["plan_hash"])
    assert refused.code != 0
    assert "not as it was" in refused.err
    assert stack.cli("releases", "block", app, "2", "says me").code == 0
    blocked = stack.cli("rollback", app, "2")
    assert (blocked.code != 0, "says me" in blocked.err) == (True, True)
    assert "says me" in stack.cli("releases", app).out
    assert stack.cli("scale", app, "2").code == 0
    until(lambda: len(stack.containers(app)) == 2, what="two replicas, and the old one gone")
    assert stack.cli("restart", app).code == 0
    back = stack.cli("rollback", app)
    assert "configuration goes back: replicas" in back.err, back.said


def test_workers_see_which_images_are_on_the_host(stack: Stack, app: str) -> None:
    stack.deployed(app, SAYS)
    until(lambda: stack.rows("SELECT 1 FROM releases WHERE image LIKE ? AND on_host", f"%/{app}:%"), 30, "a look")
