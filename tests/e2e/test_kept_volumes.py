"""A volume: its content outlives releases and the app, and goes only when it is named."""

import projects
from harness import Stack, until

DATA = {"data": {"path": "/data"}}
COUNTING = projects.web("?")
COUNTING["app.py"] = COUNTING["app.py"].replace(
    "'?'", "(open('/data/notes').read() if os.path.exists('/data/notes') else 'nothing kept')"
)
WRITING = {**COUNTING, "app.py": f"open('/data/notes', 'a').write('kept ')\n{COUNTING['app.py']}"}


def stored(stack: Stack, app: str) -> list[str]:
    labels = [f"label=longshore.stack={stack.name}", f"label=longshore.app={app}"]
    return stack.docker("volume", "ls", "-q", *(word for label in labels for word in ("--filter", label))).split()


def test_its_content_survives_a_redeploy_and_the_app_and_is_removed_only_by_name(stack: Stack, app: str) -> None:
    stack.deployed(app, WRITING, volumes=DATA)
    assert stack.text(app) == "kept"
    stack.deployed(app, COUNTING)
    assert stack.text(app) == "kept"
    refused = stack.cli("volume", "remove", app, "data", "--yes")
    assert refused.code != 0
    assert "is used by release 2, which is live" in refused.said

    gone = stack.cli("delete", app, "--yes")
    assert "Its volumes are kept: data." in gone.said
    until(lambda: stack.ask("GET", f"/v1/apps/{app}").status_code == 404, what=f"{app} gone")
    assert stored(stack, app) == [f"{stack.name}.{app}.data"]
    stack.deployed(app, COUNTING, volumes=DATA)
    assert stack.text(app) == "kept"

    stack.delete(app)
    assert "data" in stack.cli("volumes", app).out
    assert stack.cli("volume", "remove", app, "data", "--yes").code == 0
    until(lambda: not stored(stack, app), what="the volume is gone")
    stack.deployed(app, COUNTING, volumes=DATA)
    assert stack.text(app) == "nothing kept"
    stack.delete(app)
    assert stack.ask("DELETE", f"/v1/apps/{app}/volumes/data?confirm=data").status_code == 202
    until(lambda: not stored(stack, app), what="the volume is gone again")
