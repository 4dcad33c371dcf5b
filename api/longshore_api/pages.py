"""What lists and health look like: pages of the services' views."""

from pydantic import BaseModel

from longshore.services.queue import QueueItemView
from longshore.services.release_views import ReleaseView
from longshore.services.runs import RunView
from longshore.services.views import AppView, DeploymentView, EventView, LogLine, ReplicaView, TokenView
from longshore.services.volume_views import VolumeView


class AppPage(BaseModel):
    """Some apps."""

    items: list[AppView]
    next_cursor: str | None


class DeploymentPage(BaseModel):
    """Some deployments."""

    items: list[DeploymentView]
    next_cursor: str | None


class QueuePage(BaseModel):
    """Some of what runs and what waits."""

    items: list[QueueItemView]
    next_cursor: str | None


class ReleasePage(BaseModel):
    """Some releases."""

    items: list[ReleaseView]
    next_cursor: str | None


class ReplicaPage(BaseModel):
    """Some replicas."""

    items: list[ReplicaView]
    next_cursor: str | None


class VolumePage(BaseModel):
    """Some volumes."""

    items: list[VolumeView]
    next_cursor: str | None


class EventPage(BaseModel):
    """Some events."""

    items: list[EventView]
    next_cursor: str | None


class RunPage(BaseModel):
    """Some runs."""

    items: list[RunView]
    next_cursor: str | None


class TokenPage(BaseModel):
    """Some tokens."""

    items: list[TokenView]
    next_cursor: str | None


class LogPage(BaseModel):
    """Some of a log."""

    items: list[LogLine]
    next_cursor: str | None


class PartView(BaseModel):
    """One part we stand on."""

    name: str
    ok: bool
    problem: str | None = None
    hint: str | None = None


class Readiness(BaseModel):
    """Whether everything is there to work."""

    ready: bool
    parts: list[PartView]
