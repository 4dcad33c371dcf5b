"""Real stacks: one that all tests share, and a strict one beside it. Each test has an app of its own."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from harness import Stack

_numbers = itertools.count(1)


def _running(**settings: object) -> Iterator[Stack]:
    stack = Stack(**settings)
    try:
        stack.up()
        yield stack
    finally:
        stack.remove()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The stack most tests deploy to."""
    yield from _running()


@pytest.fixture(scope="session")
def strict() -> Iterator[Stack]:
    """A second stack, beside the first, with limits small enough to run into."""
    yield from _running(
        upload_limit=256 * 1024, log_limit=64 * 1024, build_silence=2, build_deadline=5, git_timeout=1, attempts=2
    )


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Names for apps, none used before."""
    return lambda: f"e{next(_numbers)}"


@pytest.fixture
def app(stack: Stack, name: Callable[[], str]) -> Iterator[str]:
    """The name of an app of the shared stack; it is deleted afterwards."""
    chosen = name()
    yield chosen
    stack.ask("DELETE", f"/v1/apps/{chosen}")
