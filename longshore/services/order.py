"""Order among the deployments of one app: who waits, who gives way to whom, and what is done together."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.states import DeploymentState, JobState, Trigger
from longshore.models import App, Deployment

EVERY = "all"  # an app's ``queue``: no waiting source gives way to a newer one


def unfinished(session: Session, app_id: int) -> Sequence[Deployment]:
    """What waits or runs, oldest first."""
    states = [DeploymentState.QUEUED, DeploymentState.RUNNING]
    query = select(Deployment).where(Deployment.app_id == app_id, Deployment.state.in_(states))
    return session.scalars(query.order_by(Deployment.number)).all()


def refusal(before: Sequence[Deployment], trigger: Trigger) -> str | None:
    """Why a rule may not deploy now: it never stands before, or in the place of, what a person asked for."""
    asked = [one for one in before if one.state is DeploymentState.QUEUED and one.by_a_person]
    return f"not now: {asked[0].label} is waiting" if asked and trigger is Trigger.AUTO else None


def joinable(
    app: App, before: Sequence[Deployment], trigger: Trigger, source: Mapping[str, object]
) -> Deployment | None:
    """The deployment that a change of configuration, or a restart, can be made part of: such a one too, waiting, and
    the last."""
    last = before[-1] if before else None
    if last is None or app.queue == EVERY or trigger is Trigger.AUTO or not last.by_a_person:
        return None
    return last if last.state is DeploymentState.QUEUED and last.source == source else None


def give_way(before: Sequence[Deployment], new: Deployment, now: datetime) -> None:
    """What waits and is not needed any more ends, superseded by the new one."""
    for one in yielding(before, new.app, by_a_person=new.by_a_person, has_source=new.has_source):
        if one is not new:
            supersede(one, new, now)


def yielding(before: Sequence[Deployment], app: App, *, by_a_person: bool, has_source: bool) -> list[Deployment]:
    """Of these, what gives way to a new one: a source to a newer source, unless the app wants them all; a rule's
    deployment to a person's."""
    newest_only = app.queue != EVERY and has_source
    return [
        one
        for one in before
        if one.state is DeploymentState.QUEUED
        and ((by_a_person and not one.by_a_person) or (newest_only and one.has_source))
    ]


def making_way(others: Sequence[Deployment], *, held: bool) -> tuple[list[Deployment], list[Deployment]]:
    """For a rollback: what is superseded because it waits, and what is stopped, unless traffic is being switched: that
    is waited for. Nothing is stopped for a rollback that is held back itself."""
    waiting = [one for one in others if one.state is DeploymentState.QUEUED]
    running = [one for one in others if one.state is DeploymentState.RUNNING]
    return waiting, [one for one in running if not (held or one.switching or one.halted)]


def supersede(older: Deployment, newer: Deployment, now: datetime) -> None:
    """A queued deployment ends; the number that replaced it stays."""
    older.superseded_by = newer.number
    older.move_to(DeploymentState.SUPERSEDED, now)
    for job in older.jobs:
        job.move_to(JobState.SKIPPED, now)
