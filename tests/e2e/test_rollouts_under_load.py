"""Twenty redeploys in a row by each strategy, with everything in flight: nobody who uses the app notices one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import projects
import pytest
from harness import Stack, until
from traffic import SERVER, Traffic, traffic

pytestmark = pytest.mark.timeout(600)
DRAIN_LIMIT, ROUNDS = 2.5, 20
STRATEGIES = {
    "blue_green": {"kind": "blue_green"},
    "rolling": {"kind": "rolling", "at_once": 1},
    "canary": {"kind": "canary", "steps": [10, 50, 100], "hold": 0.2},
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose old replicas may finish what they do for a little longer than any request here lasts."""
    ours = Stack(drain_limit=DRAIN_LIMIT)
    try:
        ours.up()
        yield ours
    finally:
        ours.remove()


def test_twenty_redeploys_by_each_strategy_fail_nothing_that_is_under_way(stack: Stack) -> None:
    with ThreadPoolExecutor(len(STRATEGIES)) as side_by_side:
        outcomes = list(side_by_side.map(lambda kind: redeploys(stack, kind), STRATEGIES))
    for kind, seen in zip(STRATEGIES, outcomes, strict=True):
        assert (kind, seen.failures) == (kind, [])
        assert {str(version) for version in range(1, ROUNDS + 1)} <= set(seen.answers["kept alive"])
        assert min(seen.lifetimes, default=DRAIN_LIMIT) >= DRAIN_LIMIT - 0.1, f"{kind}: a WebSocket ended too early"


def redeploys(stack: Stack, kind: str) -> Traffic:
    """What happened to the traffic of an app that was redeployed again and again."""
    app = kind.replace("_", "-")
    stack.deployed(app, projects.program(SERVER), replicas=2, strategy=STRATEGIES[kind])
    with traffic(stack, app) as seen:
        for version in range(1, ROUNDS + 1):
            answer = stack.ask("PATCH", f"/v1/apps/{app}", json={"env": {"VERSION": str(version)}})
            assert answer.status_code == 202, answer.text
            expect_success(stack, answer.json())
    assert stack.text(app) == str(ROUNDS)
    return seen


def expect_success(stack: Stack, view: dict[str, Any]) -> None:
    """It has succeeded; the old side may still be finishing what it does."""
    ended = until(lambda: (now := stack.show(view))["ended_at"] and now, 120, f"the end of {view['id']}")
    assert ended["state"] == "succeeded", f"{ended['error']}\n{stack.log(view)[-3000:]}"
