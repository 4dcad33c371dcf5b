"""What an app may ask of the router, on a stack as users have it: at once, and without a deployment."""

import httpx
import pytest
from harness import REPOSITORY, Stack, until


@pytest.fixture(scope="module")
def hello(stack: Stack) -> str:
    """The sample app, served."""
    view = stack.deployed("routed", REPOSITORY / "sample_app")
    assert view["error"] is None
    return "routed"


def test_maintenance_is_seen_at_once_and_ends_at_once(stack: Stack, hello: str) -> None:
    said = stack.cli("maintenance", hello, "on", "Back at 14:00 <soon>").out
    assert said == "routed is in maintenance: Back at 14:00 <soon>\n"
    shown: httpx.Response = until(lambda: _with(stack, hello, 503), 10)
    assert "Back at 14:00 &lt;soon&gt;" in shown.text
    assert shown.headers["retry-after"] == "60"
    assert stack.cli("maintenance", hello, "off").out == "routed answers for itself.\n"
    assert until(lambda: _with(stack, hello, 200), 10).text == "Hello, World!"
    assert [one["number"] for one in stack.view(f"/v1/apps/{hello}/deployments")["items"]] == [1]


def test_a_deployment_succeeds_during_maintenance(stack: Stack, hello: str) -> None:
    """Our own probes pass: the proof through the router is of the app, not of the page."""
    stack.ask("PATCH", f"/v1/apps/{hello}", json={"maintenance": "away"})
    until(lambda: _with(stack, hello, 503), 10)
    assert stack.deployed(hello, {"release": 1})["error"] is None
    assert _with(stack, hello, 503)
    stack.ask("PATCH", f"/v1/apps/{hello}", json={"maintenance": None})
    until(lambda: _with(stack, hello, 200), 10)


def _with(stack: Stack, app: str, status: int) -> httpx.Response | None:
    answer = stack.get(f"{app}.localhost")
    return answer if answer.status_code == status else None
