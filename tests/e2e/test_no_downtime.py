"""Nobody who uses an app notices a deployment, good or bad."""

import projects
from harness import Stack

ENDS_BADLY = 'print("reading the configuration")\nprint("no such table: orders")\nraise SystemExit(7)\n'


def test_a_second_version_that_ends_at_once_leaves_the_first_answering(stack: Stack, app: str) -> None:
    stack.deployed(app, projects.web("first"))
    (serving,) = stack.containers(app)
    with stack.probed(app) as prober:
        view = stack.deploy(app, projects.program(ENDS_BADLY))
    assert (view["state"], view["error"]["code"], view["error"]["fault"]) == ("failed", "exited", "app")
    assert "exited with code 7" in view["error"]["message"]
    assert "no such table: orders" in stack.log(view)
    assert prober.failures == []
    assert prober.bodies() == {"first"}
    assert stack.containers(app) == [serving]
    assert stack.view(f"/v1/apps/{app}")["release"] == 1


def test_a_redeploy_under_load_fails_no_request(stack: Stack, app: str) -> None:
    stack.deployed(app, projects.web("v1"), replicas=2)
    with stack.probed(app, threads=4, every=0.002) as prober:
        for version in ("v2", "v3", "v4"):
            stack.deployed(app, projects.web(version))
    assert prober.failures == []
    assert prober.bodies() == {"v1", "v2", "v3", "v4"}
    assert len(prober.answers) > 200
    assert len(stack.containers(app)) == 2
