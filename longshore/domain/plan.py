"""The plan of a deployment: which jobs there are, and which must have succeeded before which.

::

    build ──┬── push ──────────┐
            └── deploy ────────┴── health_check ── drain

The switch waits for both arms; on one engine the push and the start of the replicas do not wait for each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from longshore.domain.states import JobKind

BUILD, PUSH, DEPLOY, HEALTH_CHECK, DRAIN = JobKind


@dataclass(frozen=True)
class PlannedJob:
    """One step, and the steps it needs."""

    kind: JobKind
    needs: tuple[JobKind, ...] = ()


def needs_build(source: Mapping[str, object]) -> bool:
    """Whether a source has to be built: an image is there already, and so is that of a release."""
    return "git" in source or "upload" in source


def plan(*, builds: bool, one_engine: bool = True) -> tuple[PlannedJob, ...]:
    """The jobs of a deployment, in the order they can begin.

    ``builds`` is false for an image source (pulled by ``deploy``) and for an older release. With several engines
    the others pull what was pushed, so ``deploy`` waits for ``push``.
    """
    if not builds:
        return (PlannedJob(DEPLOY), PlannedJob(HEALTH_CHECK, (DEPLOY,)), PlannedJob(DRAIN, (HEALTH_CHECK,)))
    return (
        PlannedJob(BUILD),
        PlannedJob(PUSH, (BUILD,)),
        PlannedJob(DEPLOY, (BUILD,) if one_engine else (PUSH,)),
        PlannedJob(HEALTH_CHECK, (PUSH, DEPLOY)),
        PlannedJob(DRAIN, (HEALTH_CHECK,)),
    )
