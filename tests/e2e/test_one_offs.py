"""Commands that run once, for real: the release command before the switch, and ``longshore run``."""

import time
from textwrap import dedent

import projects
from harness import until

MIGRATE = dedent("""\
    import os, sys
    print("migrating for", os.environ["TEXT"], flush=True)
    sys.exit(int(os.environ.get("CODE", "0")))
    """)
ASKS = "import sys, time\nsys.exit(75 if time.time() < float(sys.argv[1]) else 0)\n"
RELEASE = {"command": ["python", "migrate.py"]}


def project(text: str) -> dict[str, str]:
    return {**projects.web(text), "migrate.py": MIGRATE, "asks.py": ASKS}


def left(stack, app: str) -> str:
    """The containers of commands that are there."""
    return stack.docker("ps", "-aq", "--filter", f"label=longshore.app={app}", "--filter", "label=longshore.one-off")


def test_a_release_command_runs_once_before_the_switch_and_a_failing_one_leaves_the_old_serving(stack, app):
    first = stack.deployed(app, project("first"), env={"TEXT": "the first"}, release_command=RELEASE)
    assert "release_command" in [job["kind"] for job in first["jobs"]]
    lines = stack.ask("GET", f"/v1/apps/{app}/deployments/1/logs", headers={"accept": "text/plain"}).text
    assert lines.count("migrating for [redacted]") == 1  # what the environment holds is hidden
    assert lines.index("migrating for") < lines.index("seen healthy through the router")

    second = stack.ended(stack.begin(app, project("second"), env={"CODE": "3"}))
    assert (second["state"], second["error"]["code"]) == ("failed", "release_command_failed")
    assert second["error"]["fault"] == "app"
    assert stack.text(app).strip() == "first"
    assert left(stack, app) == ""


def test_exit_code_75_is_tried_again_and_then_all_goes_on(stack, app):
    command = ["python", "asks.py", str(time.time() + 15)]
    begun = stack.begin(app, project("patient"), release_command={"command": command})
    words = "not now, said the release command; next try in 30 s"
    until(lambda: stack.show(begun)["why"] == words, 40, "it says why it waits")
    view = stack.ended(begun)
    assert view["state"] == "succeeded"
    assert {job["kind"]: job["attempt"] for job in view["jobs"]}["release_command"] == 1


def test_longshore_run_prints_what_is_printed_and_passes_the_exit_code_on(stack, app):
    stack.deployed(app, project("live"), env={"LENGTH": "8"})
    code = "import os, sys; print('length is', 2 * int(os.environ['LENGTH']), flush=True); sys.exit(7)"
    ran = stack.cli("run", app, "--", "python", "-c", code)
    assert (ran.code, ran.out) == (7, "length is 16\n")
    assert stack.cli("run", app, "--", "true").code == 0
    shown = stack.view(f"/v1/apps/{app}/runs")["items"]
    assert [(one["number"], one["exit_code"]) for one in shown] == [(2, 0), (1, 7)]
    assert left(stack, app) == ""
