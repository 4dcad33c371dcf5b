"""What requests look like; answers are the views of the services."""

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from longshore.domain.names import WEB
from longshore.domain.specs import (
    CONFIG_FIELDS,
    AppName,
    Build,
    Command,
    Domain,
    Env,
    EnvKey,
    EnvValue,
    Hardening,
    HealthCheck,
    Hooks,
    Maintenance,
    OneOff,
    Port,
    Process,
    ProcessName,
    Resources,
    Routing,
    Seconds,
    Source,
    Strategy,
    Volume,
    VolumeName,
)
from longshore.services.runs import HOUR

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
EnvPatch = Annotated[dict[EnvKey, EnvValue | None], Field(max_length=200)]
Domains = Annotated[list[Domain], Field(max_length=50)]
Weight = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
MaxRps = Annotated[float, Field(gt=0, allow_inf_nan=False)]
QueueRule = Literal["newest", "all"]
Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$"),
]


class Body(BaseModel):
    """A body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class ConfigPatch(Body):
    """Changes to what belongs to a release; a merge patch (RFC 7396), ``null`` removes."""

    port: Port | None = None
    replicas: Annotated[int, Field(ge=1, le=100)] | None = None
    command: Command | None = None
    health_check: HealthCheck | None = None
    resources: Resources | None = None
    hardening: Hardening | None = None
    build: Build | None = None
    processes: Annotated[dict[ProcessName, Process | None], Field(max_length=20)] | None = None
    release_command: OneOff | None = None
    hooks: Hooks | None = None
    volumes: Annotated[dict[VolumeName, Volume | None], Field(max_length=20)] | None = None
    strategy: Strategy | None = None
    soak: Seconds | None = None
    env: EnvPatch | None = None

    def split(self) -> tuple[dict[str, Any], dict[str, str | None]]:
        """The changes as they were sent: the configuration, and the environment (kept apart, encrypted)."""
        sent = self.model_dump(mode="json", exclude_unset=True, include=set(CONFIG_FIELDS))
        env = sent.pop("env", None) or {}
        return sent, env


class AppBody(ConfigPatch):
    """A new app."""

    name: AppName
    env: Env | None = None  # type: ignore[assignment]  # nothing to remove yet
    domains: Domains = Field(default_factory=list)
    weight: Weight = 1.0
    max_rps: MaxRps | None = None
    queue: QueueRule = "newest"
    routing: Routing = Field(default_factory=Routing)


class AppPatch(ConfigPatch):
    """Changes to an app. What belongs to a release becomes a deployment once a release is live."""

    domains: Domains | None = None
    weight: Weight | None = None
    max_rps: MaxRps | None = None
    queue: QueueRule | None = None
    routing: Routing | None = None
    maintenance: Maintenance | None = None

    def of_the_app(self) -> dict[str, Any]:
        """The changes that take effect at once."""
        return self.model_dump(mode="json", exclude_unset=True, exclude=set(CONFIG_FIELDS))


PlanHash = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="Refused (409) unless it is still this plan.")]
Called = Annotated[str, Field(pattern="^(api|cli)$")]


class DeploymentSource(Body):
    """Code, an image, or nothing but a number of an older release."""

    source: Source | None = None
    release: Number | None = None
    config: ConfigPatch | None = None
    plan_hash: PlanHash | None = None
    trigger: Called = "api"


class LockBody(Body):
    """A lock on an app."""

    reason: Words
    mode: Literal["refuse", "wait"] = "refuse"
    until: AwareDatetime | None = None


class RollbackBody(Body):
    """Where to go back to; without a number to the last good release before the live one."""

    release: Number | None = None
    force: bool = False
    plan_hash: PlanHash | None = None
    trigger: Called = "api"


class ChangeBody(Body):
    """A change of what is live, without a build."""

    plan_hash: PlanHash | None = None
    trigger: Called = "api"


class EnvBody(ChangeBody):
    """All variables there shall be."""

    env: Env


class ScaleBody(ChangeBody):
    """How many replicas: of `web`, or of any processes by their names."""

    replicas: Annotated[int, Field(ge=1, le=100)] | None = None
    processes: Annotated[dict[ProcessName, Annotated[int, Field(ge=0, le=100)]], Field(max_length=20)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.replicas is None) == (not self.processes):
            raise ValueError("either `replicas` or `processes` is needed")
        return self

    @property
    def counts(self) -> dict[str, int]:
        """Replicas by process."""
        return self.processes or {WEB: self.replicas or 1}


class BlockBody(Body):
    """Why nobody may go back to a release."""

    reason: Words


class RunBody(Body):
    """A command to be run once, with the limits of a process."""

    command: Command
    process: ProcessName | None = None
    deadline: Annotated[int, Field(ge=1, le=24 * 3600)] = HOUR


class TokenBody(Body):
    """A new token."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,79}$")]
    scope: Annotated[str, Field(pattern="^(read|deploy|admin)$")]
    app: AppName | None = None
    days: Annotated[int, Field(ge=1, le=3650)] | None = None


class AppPath(BaseModel):
    """An app by name."""

    app: str


class VolumePath(AppPath):
    """A volume by app and name."""

    name: str


class ConfirmQuery(BaseModel):
    """The name of what is to be removed, once more."""

    confirm: Annotated[str, Field(max_length=100)] | None = None


class DeploymentPath(AppPath):
    """A deployment by app and number."""

    number: Number


class RunPath(AppPath):
    """A run by app and number."""

    number: Number


class ReleasePath(AppPath):
    """A release by app and number."""

    number: Number


class PlanQuery(BaseModel):
    """`plan=true`: tell what would be done, and do nothing."""

    plan: bool = False


class EnvQuery(BaseModel):
    """`reveal=true`: the values too, for admins; who looked is remembered."""

    reveal: bool = False


class TokenPath(BaseModel):
    """A token by name."""

    name: str


class PageQuery(BaseModel):
    """Where in a list."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=100)] | None = None


class LogQuery(BaseModel):
    """Where in a log: chunks after this sequence number."""

    cursor: Annotated[int, Field(ge=0, le=2**53)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 200
