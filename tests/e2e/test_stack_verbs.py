"""``up`` and ``down``, and two stacks side by side."""

import projects
import pytest
from harness import Stack, docker, until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def shop(strict: Stack) -> str:
    """An app of the second stack."""
    strict.deployed("shop", projects.web("the strict one's"), replicas=2)
    return "shop"


def test_two_stacks_stand_side_by_side(stack: Stack, strict: Stack, shop: str) -> None:
    """The same app name on both, and neither sees the other's."""
    stack.deployed(shop, projects.web("the shared one's"))
    assert (stack.text(shop), strict.text(shop)) == ("the shared one's", "the strict one's")
    assert len(stack.containers(shop)) == 1
    assert len(strict.containers(shop)) == 2
    with strict.client(stack.token) as stranger:
        assert stranger.get("/v1/apps").status_code == 401
    stack.delete(shop)
    assert strict.text(shop) == "the strict one's"
    assert len(strict.containers(shop)) == 2


def test_up_twice_changes_nothing(strict: Stack, shop: str) -> None:
    pid = strict.pid("celery .* worker")
    assert "is up already" in strict.up().out
    assert strict.pid("celery .* worker") == pid


def test_down_says_what_goes_off_line_and_up_brings_it_back(strict: Stack, shop: str) -> None:
    before = strict.containers(shop)
    ran = strict.cli("down")
    assert ran.code == 0, ran.said
    assert "Off line now: shop" in ran.out
    assert docker("ps", "-q", "--filter", f"label=longshore.stack={strict.name}") == ""
    strict.up()
    assert until(lambda: strict.answers(shop), what="the app answers again") == "the strict one's"
    assert strict.containers(shop) == before


def test_down_keep_apps_leaves_them_answering(strict: Stack, shop: str) -> None:
    with strict.probed(shop) as prober:
        ran = strict.cli("down", "--keep-apps")
        assert ran.code == 0, ran.said
        assert "go on serving" in ran.out
        assert strict.text(shop) == "the strict one's"
        strict.up()
    assert prober.failures == []
    strict.deployed(shop, projects.web("and on it goes"))
    assert strict.text(shop) == "and on it goes"
