"""The queue: what runs, and what waits and why, of all apps."""

import re
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy import Select, case, select, tuple_
from sqlalchemy.orm import contains_eager, selectinload

from longshore.domain.states import DeploymentState, JobState
from longshore.domain.waits import Wait
from longshore.errors import InvalidRequestError
from longshore.models import App, Deployment
from longshore.services import parts, pipeline, waiting
from longshore.services.context import Services
from longshore.services.line import UNFINISHED
from longshore.services.pages import LARGEST, LONGEST_CURSOR, Page
from longshore.services.wait_views import WaitingView, waiting_view
from longshore.services.waiting import Surroundings

RANK = case((Deployment.state == DeploymentState.RUNNING, 0), else_=1)
CURSOR = re.compile(rf"([01])-([0-9]{{1,{LONGEST_CURSOR}}})")


class QueueItemView(BaseModel):
    """A deployment that is not over: how long it has run (or been queued), and how much longer it usually takes."""

    deployment: str
    app: str
    number: int
    state: str
    phase: str | None
    trigger: str
    actor: str
    job: str | None
    since: datetime
    why: str | None
    waiting: WaitingView | None
    elapsed_seconds: int
    estimate_seconds: int | None


def show(services: Services, *, only: str | None, limit: int, cursor: str | None) -> Page:
    """What runs first, then what waits, oldest first; ``only`` is the app a token is for.

    The same few queries, however many deployments there are.
    """
    down, now, size = parts.down(services), services.clock.now(), min(limit, LARGEST)
    with services.db.read() as session:
        found = session.scalars(_query(only, cursor).limit(size + 1)).all()
        shown = found[:size]
        around = waiting.look(session, {row.app_id for row in shown}, down, now)
        items = [_item(around, row) for row in shown]
        return Page(items=items, next_cursor=_cursor_of(shown[-1]) if len(found) > size else None)


def _query(only: str | None, cursor: str | None) -> Select[Deployment]:
    query = (
        select(Deployment)
        .join(Deployment.app)
        .where(Deployment.state.in_(UNFINISHED), App.removed_at.is_(None))
        .options(contains_eager(Deployment.app), selectinload(Deployment.jobs))
        .order_by(RANK, Deployment.id)
    )
    if only is not None:
        query = query.where(App.name == only)
    return query if cursor is None else query.where(tuple_(RANK, Deployment.id) > _place(cursor))


def _place(cursor: str) -> tuple[int, int]:
    found = CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidRequestError(f"cursor {cursor[:40]!r} is not one we gave", code="bad_cursor")
    return int(found[1]), int(found[2])


def _cursor_of(deployment: Deployment) -> str:
    return f"{int(deployment.state is not DeploymentState.RUNNING)}-{deployment.id}"


def _item(around: Surroundings, deployment: Deployment) -> QueueItemView:
    wait = waiting.explain(around, deployment)
    since = deployment.started_at or deployment.created_at
    return QueueItemView(
        deployment=deployment.label,
        app=deployment.app.name,
        number=deployment.number,
        state=deployment.state,
        phase=deployment.phase,
        trigger=deployment.trigger,
        actor=deployment.actor,
        job=_job(deployment, wait),
        since=since,
        why=wait.words if wait else None,
        waiting=waiting_view(wait) if wait else None,
        elapsed_seconds=_seconds(max(around.now - since, timedelta(0))),
        estimate_seconds=_estimate(around, deployment, wait),
    )


def _job(deployment: Deployment, wait: Wait | None) -> str | None:
    """The job that runs; else the one that waits, or is about to begin."""
    running = [job.kind for job in deployment.jobs if job.state is JobState.RUNNING]
    waits = [wait.job] if wait else [job.kind for job in deployment.jobs if pipeline.runnable(job)]
    return next(iter(running + waits), None)


def _estimate(around: Surroundings, deployment: Deployment, wait: Wait | None) -> int | None:
    """Of one that runs, until it ends; of one that is queued, until it goes on."""
    if deployment.state is DeploymentState.RUNNING:
        mine = [one for one in around.lines.get(deployment.app_id, []) if one.id == deployment.id]
        left = around.left(mine) if mine else None
    else:
        left = wait.estimate if wait else None
    return None if left is None else _seconds(left)


def _seconds(span: timedelta) -> int:
    return round(span.total_seconds())
