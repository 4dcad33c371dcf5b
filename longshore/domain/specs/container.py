"""What a container may use, may do, and keeps."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from longshore.domain.specs.base import Spec, memory_of


class Resources(Spec):
    """Limits of one replica: ``cpus`` in cores, ``memory`` in bytes (or ``256m``), ``pids`` in processes."""

    cpus: Annotated[float, Field(ge=0.01, le=1024)] | None = None
    memory: Annotated[int, Field(ge=6 * 1024**2)] | None = None
    pids: Annotated[int, Field(ge=2, le=65536)] = 256

    @model_validator(mode="before")
    @classmethod
    def _read_units(cls, given: Any) -> Any:
        return (
            {**given, "memory": memory_of(given["memory"])} if isinstance(given, dict) and "memory" in given else given
        )


class Hardening(Spec):
    """How much less than the usual a container may do."""

    capabilities: Literal["default", "none"] = "default"
    read_only: bool = False


NOT_OURS = ("proc", "sys", "dev", "etc")  # the engine's own, in a container


def _clean(path: str) -> str:
    """A path that says where it leads, and not into what the container needs to run at all."""
    first, *rest = path[1:].split("/")
    if any(part in ("", ".", "..") for part in (first, *rest)):
        raise ValueError("must be an absolute path without empty parts, . and .., such as /data")
    if first in NOT_OURS:
        raise ValueError(f"/{first} is the container's own: choose another folder, such as /data")
    return path


class Volume(Spec):
    """A folder that outlives releases. Where it is not ``shared``, two releases never have it at the same time."""

    path: Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f:,]+$", max_length=255), AfterValidator(_clean)]
    shared: bool = False
