"""What outsiders are shown of a release."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from longshore.domain.shown_source import shown_source
from longshore.domain.specs import Process
from longshore.models import Release


class ReturnView(BaseModel):
    """Whether one can roll back to a release, and if not why."""

    possible: bool
    why: str | None


class BlockView(BaseModel):
    """Who says that nobody may go back to a release, and why."""

    reason: str
    by: str


class ReleaseView(BaseModel):
    """App + version number + image + configuration."""

    app: str
    number: int
    image: str
    image_id: str
    digest: str | None
    live: bool
    config: dict[str, Any]
    processes: dict[str, Process]
    env_keys: list[str]
    source: dict[str, Any]
    dockerfile: str | None
    blocked: BlockView | None
    rollback: ReturnView
    created_at: datetime


def release_view(release: Release, live: bool, env_keys: list[str], why_not: str | None) -> ReleaseView:
    """A release; ``why_not``: nobody can go back to it."""
    blocked = release.blocked_reason
    return ReleaseView(
        app=release.app.name,
        number=release.number,
        image=release.image,
        image_id=release.image_id,
        digest=release.digest,
        live=live,
        config=release.config,
        processes=release.declared.runs,
        env_keys=env_keys,
        source=shown_source(release.source),
        dockerfile=release.dockerfile,
        blocked=BlockView(reason=blocked, by=release.blocked_by or "") if blocked is not None else None,
        rollback=ReturnView(possible=why_not is None, why=why_not),
        created_at=release.created_at,
    )
