"""When a replica counts as healthy."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from longshore.domain.specs.base import Command, Domain, Seconds, Spec


class HealthCheck(Spec):
    """When a replica counts as healthy. Without a declared one: GET ``/``, any answer below 500.

    A path of its own is there to answer well: then a status of 200 to 399, unless ``status`` says otherwise.
    ``command`` runs in the container, and 0 is healthy. ``running``: nothing is asked, it only must not end; what a
    process other than ``web`` is held to without a check. Times in seconds: failures within ``start_period`` do not
    count; after it ``failures`` in a row (default: any number) end the wait before ``healthy_deadline`` does.
    ``progress_deadline`` is for the whole deployment, and begins anew with each replica that gets healthy.
    """

    kind: Literal["http", "tcp", "command", "running"] = "http"
    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$", max_length=1024)] = "/"
    status: Annotated[str, StringConstraints(pattern=r"^[1-5]\d\d(-[1-5]\d\d)?$")] | None = None
    host: Domain | None = None
    body: Annotated[str, StringConstraints(max_length=1024)] | None = None
    command: Command | None = None
    timeout: Annotated[float, Field(gt=0, le=60)] = 5
    start_period: Seconds = 0
    interval: Annotated[float, Field(gt=0, le=60)] | None = None  # null: often at first, then once a second
    successes: Annotated[int, Field(ge=1, le=100)] = 1
    failures: Annotated[int, Field(ge=1, le=1000)] | None = None
    min_healthy_time: Seconds | None = None  # null: 0, and 2 for the kind running
    healthy_deadline: Annotated[float, Field(gt=0, le=3600)] = 60
    progress_deadline: Annotated[float, Field(gt=0, le=3600)] | None = None

    @model_validator(mode="after")
    def _command_where_it_belongs(self) -> Self:
        if (self.kind == "command") != (self.command is not None):
            raise ValueError("a check of the kind command has a command, and no other one has")
        return self

    @property
    def wanted(self) -> str:
        """The range of statuses that are healthy."""
        return self.status or ("100-499" if self.path == "/" else "200-399")

    def accepts(self, status: int) -> bool:
        """Whether an answer with this status is a healthy one."""
        low, _, high = self.wanted.partition("-")
        return int(low) <= status <= int(high or low)
