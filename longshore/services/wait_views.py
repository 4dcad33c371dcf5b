"""What outsiders are shown of what holds things back: waits, and locks."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from longshore.domain.waits import Wait
from longshore.models import App


class WaitingView(BaseModel):
    """What a deployment waits for. ``position``: how many of its app go before it."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    reason: str = Field(alias="for")
    blocker: str | None
    position: int
    since: datetime
    estimate_seconds: int | None


class LockView(BaseModel):
    """What holds an app's deployments back; ``mode``: are new ones refused, or do they wait?"""

    reason: str
    mode: str
    owner: str
    since: datetime
    until: datetime | None


def waiting_view(wait: Wait) -> WaitingView:
    """A wait; its words are shown beside it."""
    return WaitingView(
        reason=wait.reason,
        blocker=wait.blocker,
        position=wait.position,
        since=wait.since,
        estimate_seconds=None if wait.estimate is None else round(wait.estimate.total_seconds()),
    )


def lock_view(app: App, now: datetime) -> LockView | None:
    """The lock of an app, while it holds."""
    if not app.locked(now):
        return None
    return LockView(
        reason=app.lock_reason or "",
        mode=app.lock_mode or "",
        owner=app.lock_owner or "",
        since=app.lock_since or now,
        until=app.lock_until,
    )
