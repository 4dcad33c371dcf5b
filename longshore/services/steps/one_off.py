"""release_command, pre_build, post_deploy: a command of the app's own, once, in a container that is gone afterwards.

A worker that is lost in the middle makes it run again, so these commands must be repeatable.
"""

import shlex
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from longshore.domain.names import one_off_name
from longshore.domain.ports import ContainerSpec, Ending
from longshore.domain.states import AFTER_SUCCESS, JobKind
from longshore.errors import AppError, NotNowError
from longshore.models import Deployment, Release
from longshore.services import job_plan, one_offs, volumes
from longshore.services.having import have_image, have_release
from longshore.services.one_offs import Command
from longshore.services.work import Work

NOT_NOW = 75  # EX_TEMPFAIL
NOTHING_LIVE = "nothing is live yet, so there is no image to run it in: left out"


@dataclass(frozen=True)
class _Wanted:
    spec: ContainerSpec
    deadline: float


@dataclass(frozen=True)
class _Done:
    container: str
    gone: bool  # what could not be removed is left to the sweep


class OneOffStep:
    """``release_command`` and ``post_deploy`` run in the new image, ``pre_build`` in the one that is live."""

    def run(self, work: Work) -> _Done | None:
        """What it ran in; ``AppError`` for any exit code but 0 and 75, ``NotNowError`` for 75."""
        if not _ready(work):
            work.log.write(NOTHING_LIVE)
            return None
        wanted = _reserve(work)
        work.log.write(f"running {shlex.join(wanted.spec.command or [])}")
        until = work.worker.clock.monotonic() + wanted.deadline
        ending = one_offs.run(
            work.worker,
            wanted.spec,
            work.check,
            work.tell,
            lambda: work.stopped() or work.worker.clock.monotonic() >= until,
        )
        if ending is None:
            work.check()
            raise _too_long(work, wanted.deadline)
        _judge(work, ending)
        return _Done(wanted.spec.name, gone=work.worker.engine.find(wanted.spec.name) is None)

    def conclude(self, work: Work, session: Session, deployment: Deployment, result: _Done | None) -> dict[str, Any]:
        """Its name and address are free again."""
        if result is not None and result.gone:
            one_offs.note_removed(session, result.container, work.worker.clock.now())
        return {"ran": result is not None}


def _ready(work: Work) -> bool:
    """Whether there is a release to run it in, its image on this host."""
    if work.kind is JobKind.RELEASE_COMMAND:
        have_release(work)
        return True
    with work.worker.db.read() as session:
        release = _release(work, work.deployment(session))
    if release is not None:
        have_image(work, release)
    return release is not None


def _release(work: Work, deployment: Deployment) -> Release | None:
    return deployment.app.release if work.kind is JobKind.PRE_BUILD else deployment.release


def _reserve(work: Work) -> _Wanted:
    worker, network = work.worker, work.worker.engine.network()
    with worker.db.write() as session:
        job = work.locked(session)
        deployment, declared = job.deployment, job_plan.declared(job.deployment, work.kind)
        release = _release(work, deployment)
        if release is None or declared is None:
            raise AppError(f"{work.label} has no {_name(work)} to run", code="no_release")
        if work.kind is JobKind.RELEASE_COMMAND:
            volumes.reserve(worker, session, deployment)
        name = one_off_name(worker.settings.stack, work.app, deployment.generation or 0, work.kind)
        row = one_offs.reserve(worker, session, network, name, job, deployment.app_id)
        command = Command(name, work.kind, declared.command, release.declared.resources)
        return _Wanted(one_offs.spec_of(worker, command, release, network, row), declared.deadline)


def _judge(work: Work, ending: Ending) -> None:
    if ending.exit_code == 0:
        return
    if ending.out_of_memory:
        raise AppError(f"the {_name(work)} ran out of memory", code="out_of_memory", hint="Raise resources.memory.")
    if ending.exit_code == NOT_NOW and not _late(work):
        raise NotNowError(f"not now, said the {_name(work)}")
    raise AppError(
        f"the {_name(work)} ended with exit code {ending.exit_code}",
        code=f"{work.kind}_failed",
        hint="What it printed is in the log of the deployment.",
    )


def _late(work: Work) -> bool:
    """Whether it has been put off for as long as a deployment may take. Before its end the deployment sees to that."""
    if work.kind not in AFTER_SUCCESS:
        return False
    with work.worker.db.read() as session:
        age = work.worker.clock.now() - work.deployment(session).created_at
    return age > timedelta(seconds=work.worker.settings.deployment_deadline)


def _too_long(work: Work, deadline: float) -> AppError:
    return AppError(
        f"the {_name(work)} took longer than {deadline:g} s",
        code="deadline",
        hint=f"Raise `deadline` of the {_name(work)}, or find out in the log what it waits for.",
    )


def _name(work: Work) -> str:
    return job_plan.NAMES[work.kind]
