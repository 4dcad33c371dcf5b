"""The plan of a deployment: which jobs there are, and which must have succeeded before which.

::

    (pre_build ──) build ──┬── push ──────────────────────────┐                  ┌── drain
                           └── (release_command ──) deploy ───┴── health_check ──┴── (post_deploy)

The switch waits for both arms; on one engine the push and the start of the replicas do not wait for each other. What
is in brackets is there only when the configuration declares it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from longshore.domain.states import ONE_OFFS, JobKind

PRE_BUILD, BUILD, PUSH, RELEASE_COMMAND, DEPLOY, HEALTH_CHECK, POST_DEPLOY, DRAIN = JobKind


@dataclass(frozen=True)
class PlannedJob:
    """One step, and the steps it needs."""

    kind: JobKind
    needs: tuple[JobKind, ...] = ()


def needs_build(source: Mapping[str, object]) -> bool:
    """Whether a source has to be built: an image is there already, and so is that of a release."""
    return "git" in source or "upload" in source


def plan(
    *, builds: bool, one_engine: bool = True, one_offs: Collection[JobKind] = frozenset()
) -> tuple[PlannedJob, ...]:
    """The jobs of a deployment, in the order they can begin.

    ``builds`` is false for an image source (pulled by whatever needs it first) and for an older release. With several
    engines the others pull what was pushed, so ``deploy`` waits for ``push``. ``one_offs`` are the commands of the
    app's own that are to run.
    """
    needs: dict[JobKind, tuple[JobKind, ...]] = {
        PRE_BUILD: (),
        BUILD: (PRE_BUILD,),
        PUSH: (BUILD,),
        RELEASE_COMMAND: (BUILD,),
        DEPLOY: (BUILD, RELEASE_COMMAND) if one_engine else (PUSH, RELEASE_COMMAND),
        HEALTH_CHECK: (PUSH, DEPLOY),
        POST_DEPLOY: (HEALTH_CHECK,),
        DRAIN: (HEALTH_CHECK,),
    }
    left_out = ONE_OFFS - set(one_offs)
    if not builds:
        left_out |= {PRE_BUILD, BUILD, PUSH}
    planned = [kind for kind in needs if kind not in left_out]
    return tuple(PlannedJob(kind, tuple(need for need in needs[kind] if need in planned)) for kind in planned)
