"""How a new release takes over from the old one."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from longshore.domain.specs.base import Seconds, Spec

Percent = Annotated[int, Field(ge=1, le=100)]


class Strategy(Spec):
    """How a new release takes over.

    ``blue_green``: all new replicas proven, then one switch. ``rolling``: ``at_once`` replicas at a time. ``canary``:
    ``steps`` in percent of the traffic, each held for ``hold`` seconds and judged. ``recreate``: the old replicas
    stop first, so nothing answers until a new one does.
    """

    kind: Literal["blue_green", "rolling", "canary", "recreate"] = "blue_green"
    at_once: Annotated[int, Field(ge=1, le=100)] = 1
    steps: Annotated[list[Percent], Field(min_length=1, max_length=20)] = Field(default_factory=lambda: [10, 50, 100])
    hold: Seconds = 60

    @model_validator(mode="after")
    def _steps_grow_to_all(self) -> Self:
        if sorted(set(self.steps)) != self.steps or self.steps[-1] != 100:
            raise ValueError("steps are percents that grow, and the last one is 100")
        return self
