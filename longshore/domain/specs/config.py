"""What belongs to a release."""

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from longshore.domain.names import VOLUME_NAME, WEB
from longshore.domain.specs.base import Command, Port, Seconds, Spec
from longshore.domain.specs.build import Build
from longshore.domain.specs.container import Hardening, Resources, Volume
from longshore.domain.specs.health import HealthCheck
from longshore.domain.specs.process import Hooks, OneOff, Process, ProcessName
from longshore.domain.specs.rollout import Strategy

VolumeName = Annotated[str, StringConstraints(pattern=f"^{VOLUME_NAME}$")]


class Config(Spec):
    """What belongs to a release, without its environment (which is kept encrypted, apart).

    ``replicas``, ``command``, ``health_check`` and ``resources`` are those of ``web``. Where ``processes`` are
    declared, those run and no others.
    """

    port: Port | None = None
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    command: Command | None = None
    health_check: HealthCheck = Field(default_factory=HealthCheck)
    resources: Resources = Field(default_factory=Resources)
    hardening: Hardening = Field(default_factory=Hardening)
    build: Build = Field(default_factory=Build)
    processes: Annotated[dict[ProcessName, Process], Field(max_length=20)] = Field(default_factory=dict)
    release_command: OneOff | None = None
    hooks: Hooks = Field(default_factory=Hooks)
    volumes: Annotated[dict[VolumeName, Volume], Field(max_length=20)] = Field(default_factory=dict)
    strategy: Strategy | None = None
    soak: Seconds = 0

    @field_validator("volumes")
    @classmethod
    def _each_in_its_place(cls, volumes: dict[str, Volume]) -> dict[str, Volume]:
        if len({volume.path for volume in volumes.values()}) < len(volumes):
            raise ValueError("two volumes cannot have one path")
        return volumes

    @property
    def rollout(self) -> Strategy:
        """The strategy: the declared one; else ``recreate`` where a volume cannot be shared; else ``blue_green``."""
        alone = any(not volume.shared for volume in self.volumes.values())
        return self.strategy or Strategy(kind="recreate" if alone else "blue_green")

    @property
    def runs(self) -> dict[str, Process]:
        """Every process that runs, by name, with nothing left open but its command (then the image's own)."""
        web = Process(replicas=self.replicas, command=self.command, health_check=self.health_check)
        declared = self.processes or {WEB: Process()}
        return {name: self._complete(process, web if name == WEB else Process()) for name, process in declared.items()}

    def replicas_of(self, process: str) -> int:
        """How many of a process run: none of one that is not declared."""
        declared = self.runs.get(process)
        return declared.replicas or 0 if declared else 0

    def _complete(self, process: Process, base: Process) -> Process:
        return Process(
            command=process.command or base.command,
            replicas=next(count for count in (process.replicas, base.replicas, 1) if count is not None),
            resources=process.resources or self.resources,
            health_check=process.health_check or base.health_check,
        )


CONFIG_FIELDS = frozenset(Config.model_fields) | {"env"}
