"""What an image runs: processes that stay, and commands that end."""

from typing import Annotated

from pydantic import Field, StringConstraints

from longshore.domain import names
from longshore.domain.specs.base import Command, Spec
from longshore.domain.specs.container import Resources
from longshore.domain.specs.health import HealthCheck

ProcessName = Annotated[str, StringConstraints(pattern=f"^{names.PROCESS_NAME}$")]


class Process(Spec):
    """A named command of an app. What is not said here is the app's own: only ``web`` takes all of it."""

    command: Command | None = None
    replicas: Annotated[int, Field(ge=0, le=100)] | None = None
    resources: Resources | None = None
    health_check: HealthCheck | None = None


class OneOff(Spec):
    """A command that runs once, in a container of its own, and ends. Exit code 75 means: not now, try later."""

    command: Command
    deadline: Annotated[float, Field(gt=0, le=24 * 3600)] = 600


class Hooks(Spec):
    """One-off commands around a deployment."""

    pre_build: OneOff | None = None
    post_deploy: OneOff | None = None
