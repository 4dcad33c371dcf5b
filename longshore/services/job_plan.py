"""The plan of a deployment as rows: which of the app's own commands are among its jobs.

Planned when the deployment is taken on, and again when its turn comes (the configuration may have changed since) and
when its build has ended (a Procfile may name a release command).
"""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from longshore.domain.plan import PlannedJob, needs_build, plan
from longshore.domain.specs import Config, OneOff
from longshore.domain.states import JobKind, JobState
from longshore.models import Deployment, Job
from longshore.services import releases

NAMES: Mapping[JobKind, str] = {
    JobKind.PRE_BUILD: "pre_build hook",
    JobKind.RELEASE_COMMAND: "release command",
    JobKind.POST_DEPLOY: "post_deploy hook",
}


def declared(deployment: Deployment, kind: JobKind) -> OneOff | None:
    """The command of the app's own that a job of this kind runs."""
    return _commands(releases.config_of(deployment))[kind]


def settle(session: Session, deployment: Deployment) -> None:
    """Make the jobs of a deployment those its configuration asks for: before it begins, and once a build has told
    what a Procfile says. What has begun is asked for in either case."""
    there = {job.kind: job for job in deployment.jobs}
    wanted = {job.kind: [need.value for need in job.needs] for job in plan_of(deployment)}
    for kind, needs in wanted.items():
        if kind not in there:
            deployment.jobs.append(Job(kind=kind, state=JobState.QUEUED, needs=needs))
        elif there[kind].needs != needs:
            there[kind].needs = needs
    for kind in there.keys() - wanted.keys():
        deployment.jobs.remove(there[kind])
        session.delete(there[kind])


def plan_of(deployment: Deployment) -> tuple[PlannedJob, ...]:
    """What is to be done, by its configuration as it is now."""
    return jobs_of(deployment.source, releases.config_of(deployment), changes=_changes(deployment))


def jobs_of(source: Mapping[str, object], config: Config, *, changes: bool) -> tuple[PlannedJob, ...]:
    """What a source and a configuration come to; ``changes``: something new comes into service."""
    given = {kind for kind, command in _commands(config).items() if command is not None}
    return plan(builds=needs_build(source), one_offs=given if changes else given - {JobKind.RELEASE_COMMAND})


def _commands(config: Config) -> Mapping[JobKind, OneOff | None]:
    return {
        JobKind.PRE_BUILD: config.hooks.pre_build,
        JobKind.RELEASE_COMMAND: config.release_command,
        JobKind.POST_DEPLOY: config.hooks.post_deploy,
    }


def _changes(deployment: Deployment) -> bool:
    """Whether something new comes into service: not when an older release comes back, nor at a mere restart."""
    if deployment.has_source:
        return True
    return deployment.release is None and (bool(deployment.config) or deployment.env is not None)
