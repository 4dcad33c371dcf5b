"""The states of deployments, jobs and replicas, and which moves between them exist."""

from collections.abc import Mapping
from enum import StrEnum


class DeploymentState(StrEnum):
    """Where one attempt stands. The last four are terminal and never change."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class Phase(StrEnum):
    """What a running deployment is busy with."""

    BUILDING = "building"
    PUSHING = "pushing"
    RELEASING = "releasing"
    STARTING = "starting"
    CHECKING = "checking"
    SWITCHING = "switching"
    SOAKING = "soaking"
    CLEANING = "cleaning"


class JobKind(StrEnum):
    """The steps there are. Each is a row and one Celery task, ``longshore.<kind>``."""

    PRE_BUILD = "pre_build"
    BUILD = "build"
    PUSH = "push"
    RELEASE_COMMAND = "release_command"
    DEPLOY = "deploy"
    HEALTH_CHECK = "health_check"
    POST_DEPLOY = "post_deploy"
    DRAIN = "drain"


ONE_OFFS = frozenset({JobKind.PRE_BUILD, JobKind.RELEASE_COMMAND, JobKind.POST_DEPLOY})  # a command of the app's own
LASTING = frozenset({JobKind.BUILD}) | ONE_OFFS  # may go on for a while when their worker is told to stop
AFTER_SUCCESS = frozenset({JobKind.POST_DEPLOY, JobKind.DRAIN})  # go on without holding the app


class JobState(StrEnum):
    """Where one step stands. The last four are terminal and never change."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class RunState(StrEnum):
    """Where a one-off command stands that somebody asked for. The last three are terminal and never change."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ReplicaState(StrEnum):
    """What a replica is for: ``draining`` is one-way, such a replica is never adopted again."""

    STARTING = "starting"
    HEALTHY = "healthy"  # proven, known to the router
    RESTING = "resting"  # was healthy; stopped while a newer one takes its place, and started again if that fails
    DRAINING = "draining"
    REMOVED = "removed"


class VolumeState(StrEnum):
    """What a volume is: only one that somebody named is ever ``removing``."""

    PRESENT = "present"
    REMOVING = "removing"
    REMOVED = "removed"


class Trigger(StrEnum):
    """Why a deployment began."""

    API = "api"
    CLI = "cli"
    CHAT = "chat"
    WEBHOOK = "webhook"
    AUTO = "auto"


class WaitFor(StrEnum):
    """What something that does not run waits for."""

    DEPLOYMENT = "deployment"  # another one of its app, before it
    LOCK = "lock"
    WORKER = "worker"  # none takes from its queue, or none has come yet
    BUILD_PLACE = "build_place"
    ALONE = "alone"  # it may have crashed a worker, so it runs by itself; or another one does
    RETRY = "retry"
    HOLD = "hold"  # a share of the traffic, or all of it, is held for a while and judged
    PART = "part"  # engine, registry, router, redis or database is down


class CancelEffect(StrEnum):
    """What asking to cancel comes to, at the point a deployment has reached."""

    AT_ONCE = "at_once"  # nothing had begun
    STOPS = "stops"  # what runs is stopped and undone
    FINISHES = "finishes"  # too late: traffic is being switched, or it is over but for the clean-up


D, J, R = DeploymentState, JobState, ReplicaState

DEPLOYMENT_MOVES: Mapping[DeploymentState, frozenset[DeploymentState]] = {
    D.QUEUED: frozenset({D.RUNNING, D.FAILED, D.CANCELLED, D.SUPERSEDED}),
    D.RUNNING: frozenset({D.SUCCEEDED, D.FAILED, D.CANCELLED}),
    D.SUCCEEDED: frozenset(),
    D.FAILED: frozenset(),
    D.CANCELLED: frozenset(),
    D.SUPERSEDED: frozenset(),
}

JOB_MOVES: Mapping[JobState, frozenset[JobState]] = {
    J.QUEUED: frozenset({J.RUNNING, J.CANCELLED, J.SKIPPED}),
    J.RUNNING: frozenset({J.SUCCEEDED, J.FAILED, J.CANCELLED, J.QUEUED}),  # queued again: handed back
    J.SUCCEEDED: frozenset(),
    J.FAILED: frozenset(),
    J.CANCELLED: frozenset(),
    J.SKIPPED: frozenset(),
}

RUN_MOVES: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.FAILED, RunState.CANCELLED}),
    RunState.RUNNING: frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED}),  # never queued again
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
}

REPLICA_MOVES: Mapping[ReplicaState, frozenset[ReplicaState]] = {
    R.STARTING: frozenset({R.HEALTHY, R.DRAINING}),
    R.HEALTHY: frozenset({R.RESTING, R.DRAINING}),
    R.RESTING: frozenset({R.HEALTHY, R.DRAINING}),
    R.DRAINING: frozenset({R.REMOVED}),
    R.REMOVED: frozenset(),
}

STANDING = (R.STARTING, R.HEALTHY, R.RESTING)  # what somebody may still want
VOLUME_MOVES: Mapping[VolumeState, frozenset[VolumeState]] = {
    VolumeState.PRESENT: frozenset({VolumeState.REMOVING}),
    VolumeState.REMOVING: frozenset({VolumeState.REMOVED}),
    VolumeState.REMOVED: frozenset(),
}

# What a row must say before it may be in a state. Held by ``move_to`` and by CHECK constraints.
DEPLOYMENT_FACTS: Mapping[DeploymentState, tuple[str, ...]] = {
    D.RUNNING: ("generation",),
    D.SUCCEEDED: ("release_id", "switched_at"),
    D.FAILED: ("error_code", "error_message"),
    D.SUPERSEDED: ("superseded_by",),
}

JOB_FACTS: Mapping[JobState, tuple[str, ...]] = {
    J.RUNNING: ("owner",),
    J.FAILED: ("error_code", "error_message"),
}

RUN_FACTS: Mapping[RunState, tuple[str, ...]] = {
    RunState.RUNNING: ("owner",),
    RunState.SUCCEEDED: ("exit_code",),
    RunState.FAILED: ("error_code", "error_message"),
}

RUN_ENDED = frozenset(state for state, moves in RUN_MOVES.items() if not moves)
DEPLOYMENT_ENDED = frozenset(state for state, moves in DEPLOYMENT_MOVES.items() if not moves)
JOB_ENDED = frozenset(state for state, moves in JOB_MOVES.items() if not moves)

PHASE_OF: Mapping[JobKind, Phase] = {
    JobKind.PRE_BUILD: Phase.BUILDING,
    JobKind.BUILD: Phase.BUILDING,
    JobKind.PUSH: Phase.PUSHING,
    JobKind.RELEASE_COMMAND: Phase.RELEASING,
    JobKind.DEPLOY: Phase.STARTING,
    JobKind.HEALTH_CHECK: Phase.CHECKING,
    JobKind.POST_DEPLOY: Phase.CLEANING,
    JobKind.DRAIN: Phase.CLEANING,
}
