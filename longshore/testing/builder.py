"""A builder that reads a script."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from longshore.domain.ports import BuildLine, BuildNews, BuildRequest, BuildStepSeen
from longshore.errors import LongshoreError
from longshore.testing.behaviour import Behaviour
from longshore.testing.clock import START
from longshore.testing.engine import FakeEngine

FROM = BuildStepSeen("1", "[1/2] FROM python:3.13-slim", True, START, START)
COPY = BuildStepSeen("2", "[2/2] COPY . .", False, START, START + timedelta(seconds=2))


class FakeBuilder:
    """Tells ``news``, then fails with ``error`` or makes an image of ``behaviour``. Remembers what it was asked."""

    rung = "engine-api"

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.news: Sequence[BuildNews | None] = (FROM, COPY, BuildLine("copied", "2"))
        self.error: LongshoreError | None = None
        self.behaviour = Behaviour()
        self.ports: tuple[int, ...] = (80,)
        self.meanwhile: Callable[[], None] = lambda: None  # what happens while it builds
        self.requests: list[BuildRequest] = []
        self.cancelled = 0
        self._ended = False

    def limits(self) -> str:
        """For people."""
        return "1.75 cores, 3.0 GiB for all builds together"

    @contextmanager
    def build(self, request: BuildRequest) -> Iterator[Iterator[BuildNews | None]]:
        """The script; whoever leaves before its end has cancelled the build."""
        self.requests.append(request)
        self._ended = False
        try:
            yield self._script(request)
        finally:
            self.cancelled += not self._ended

    def _script(self, request: BuildRequest) -> Iterator[BuildNews | None]:
        self._engine.ping()
        yield from self.news
        self.meanwhile()
        yield None
        self._ended = True
        if self.error is not None:
            raise self.error
        self._engine.build(request.tag, self.behaviour, self.ports)
