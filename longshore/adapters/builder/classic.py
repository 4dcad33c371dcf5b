"""The engine's old builder: no BuildKit, no cache mounts; the last rung."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from longshore.adapters.builder.engine_api import hang_up, messages, post_build
from longshore.adapters.builder.failure import build_failed
from longshore.adapters.builder.stream import followed
from longshore.adapters.engine.connection import Connection, translated
from longshore.domain.ports import BuildLine, BuildNews, BuildRequest, BuildStepSeen

_STEP = re.compile(r"Step (\d+)/\d+ : (.*)")
CACHED = " ---> Using cache"


class ClassicRung:
    """Builds instruction by instruction; its words are turned into the same news."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def build(self, request: BuildRequest) -> Iterator[Iterator[BuildNews | None]]:
        """News until the image is made."""
        with translated(), request.context.open("rb") as context:
            response = post_build(self._connection, request, context)
            with followed(lambda: _Words().read(messages(response)), lambda: hang_up(response)) as news:
                yield news


class _Words:
    """From words to steps: a step ends where the next begins."""

    def __init__(self) -> None:
        self._step: BuildStepSeen | None = None

    def read(self, lines: Iterator[dict[str, Any]]) -> Iterator[BuildNews]:
        for message in lines:
            if "error" in message:
                raise build_failed(str(message["error"]), self._step.name if self._step else None)
            for text in str(message.get("stream", "")).splitlines():
                yield from self._line(text)
        yield from self._finished()

    def _line(self, text: str) -> Iterator[BuildNews]:
        found = _STEP.match(text)
        if found is not None:
            yield from self._finished()
            name = f"[{found[1]}] {found[2]}"
            self._step = BuildStepSeen(key=found[1], name=name, started_at=datetime.now(UTC))
            yield self._step
        elif text == CACHED and self._step is not None:
            self._step = BuildStepSeen(self._step.key, self._step.name, True, self._step.started_at)
            yield self._step
        elif text.strip() and not text.startswith(" --->"):
            yield BuildLine(text, self._step.key if self._step else None)

    def _finished(self) -> Iterator[BuildNews]:
        if self._step is not None:
            step = self._step
            yield BuildStepSeen(step.key, step.name, step.cached, step.started_at, datetime.now(UTC))
