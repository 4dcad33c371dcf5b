"""Volumes as outsiders see them, and those of an app by its name."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.states import VolumeState
from longshore.models import App, Volume
from longshore.services.views import AppView


class VolumeView(BaseModel):
    """A folder that outlives releases. ``used_by`` says what would have to end before it can be removed."""

    app: str
    name: str
    engine_name: str
    state: str
    used_by: list[str]
    created_at: datetime


class DeletedAppView(AppView):
    """An app that is being deleted, and the names of the volumes that are kept all the same."""

    kept_volumes: list[str]


def kept_volumes(session: Session, app_name: str) -> list[str]:
    """The names of the volumes that an app leaves behind when it is deleted."""
    return sorted(session.scalars(of_app(app_name, select(Volume.name))))


def of_app(app_name: str, query: Any) -> Any:
    """By the name of the app: a volume outlives the app's row."""
    ours = query.join(App, Volume.app_id == App.id).where(App.name == app_name)
    return ours.where(Volume.state != VolumeState.REMOVED)
