"""The digest of a failure, as it is kept and shown."""

from datetime import datetime

from pydantic import BaseModel, Field


class ProbeView(BaseModel):
    """One execution of a health check."""

    at: datetime
    seconds: float
    status: int | None
    problem: str | None


class ListenerView(BaseModel):
    """A TCP port that was listened on."""

    port: int
    loopback_only: bool


class WitnessView(BaseModel):
    """One replica when it failed. ``running`` is null when its container was not there."""

    name: str
    process: str
    port: int
    running: bool | None
    exit_code: int | None
    out_of_memory: bool
    restarts: int
    listens: list[ListenerView]
    probes: list[ProbeView]
    output: list[str]


class PairView(BaseModel):
    """What it was in the last good release, and what it is now."""

    before: str
    now: str


class EnvChangesView(BaseModel):
    """Environment variables by name; a value is never told."""

    added: list[str] = Field(default_factory=list)
    changed: list[str] = Field(default_factory=list)
    removed: list[str] = Field(default_factory=list)


class ChangesView(BaseModel):
    """What is different from the last good release; null: the same, or not known."""

    release: int
    commit: PairView | None = None
    image: PairView | None = None
    base_image: PairView | None = None
    env: EnvChangesView = Field(default_factory=EnvChangesView)
    config: list[str] = Field(default_factory=list)


class DigestView(BaseModel):
    """All that is known of a failure. ``log``: the last lines of the failed job, where no replica tells more."""

    cause: str | None
    job: str | None
    step: str | None
    code: str
    message: str
    fault: str
    hint: str | None
    changes: ChangesView | None
    replicas: list[WitnessView]
    log: list[str]
    at: datetime
    partial: bool = False  # the engine did not answer when it was written
