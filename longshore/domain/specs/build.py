"""Where an image comes from, and how it is made."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from longshore.domain.specs.base import Env, ImageText, InsidePath, Spec

# Build arguments reach programs of ours by their environment; these would change what those programs do.
_OURS = re.compile(r"LD_.*|DOCKER_.*|BUILDX_.*|BUILDKIT_.*|OTEL_.*|GO[A-Z]*|SSL_.*|PATH|HOME|TMPDIR")


def _arguments(args: dict[str, str]) -> dict[str, str]:
    for key in args:
        if _OURS.fullmatch(key):
            raise ValueError(f"{key} cannot be a build argument: programs of the host obey it")
    return args


class Build(Spec):
    """How the image is made. All paths lie inside the source; ``dockerfile`` is relative to ``context``."""

    dockerfile: InsidePath | None = None
    context: InsidePath = "."
    target: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")] | None = None
    args: Annotated[Env, AfterValidator(_arguments)] = Field(default_factory=dict)


class GitSource(Spec):
    """A repository and a branch, tag or commit (default: its HEAD)."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    ref: Annotated[str, StringConstraints(min_length=1, max_length=201)] | None = None


class Source(Spec):
    """Where code or an image comes from: exactly one of the two."""

    git: GitSource | None = None
    image: ImageText | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.git is None) == (self.image is None):
            raise ValueError("a source is either git or image")
        return self
