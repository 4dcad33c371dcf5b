"""How long one claim of a job may last: in all, and without any news."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from longshore.domain.names import WEB
from longshore.domain.specs import HealthCheck
from longshore.domain.states import ONE_OFFS, JobKind
from longshore.errors import AppError, LongshoreError, PlatformError
from longshore.models import Deployment, Job
from longshore.services import job_plan, releases
from longshore.settings import Settings

SIDE_BY_SIDE = 16  # replicas that are proven at the same time
BEYOND_PROBES = 60.0  # seconds of a health check that are not waiting for the app: switching, and proving the switch


@dataclass(frozen=True)
class Limit:
    """Seconds: ``total``, and ``silence`` (``None``: this job has nothing to tell while it works)."""

    kind: JobKind
    total: float
    silence: float | None = None

    def broken(self, age: float, silent: float) -> LongshoreError | None:
        """The reason, if a job of this age that was silent for so long is over its limit."""
        if age >= self.total:
            return self._error(f"the {self._name} took longer than {self.total:g} s", "deadline")
        if self.silence is not None and silent >= self.silence:
            return self._error(f"the {self._name} brought no news for {self.silence:g} s", f"{self.kind}_silent")
        return None

    @property
    def _name(self) -> str:
        return self.kind.replace("_", " ")

    def _error(self, message: str, code: str) -> LongshoreError:
        if self.kind is JobKind.BUILD:
            hint = "Let a long step print its progress, or raise LONGSHORE_BUILD_DEADLINE or LONGSHORE_BUILD_SILENCE."
            return AppError(message, code=code, hint=hint)
        return PlatformError(message, code=code, hint="Look at the log for what it was busy with; limits are settings.")


def limit_of(settings: Settings, job: Job) -> Limit:
    """The limit of one claim of a job."""
    return Limit(job.kind, *_LIMITS[job.kind](settings, job.deployment))


def _check_limit(settings: Settings, deployment: Deployment) -> tuple[float, None]:
    """A rolling one proves, and lets old replicas finish, as often as it has replicas at most."""
    config = releases.config_of(deployment)
    checks = [process.health_check or HealthCheck(kind="running") for process in config.runs.values()]
    rounds = 1 + sum(process.replicas or 0 for process in config.runs.values()) // SIDE_BY_SIDE
    once = rounds * max(check.healthy_deadline for check in checks) + BEYOND_PROBES
    if config.rollout.kind != "rolling":
        return once, None
    return (once + settings.drain_limit + settings.stop_grace) * max(1, config.replicas_of(WEB)), None


def _one_off_limit(kind: JobKind) -> Callable[[Settings, Deployment], tuple[float, None]]:
    """The time for its image to come, and that of the command, which it watches itself."""

    def limit(settings: Settings, deployment: Deployment) -> tuple[float, None]:
        declared = job_plan.declared(deployment, kind)
        return settings.deploy_deadline + (declared.deadline + settings.stop_grace if declared else 0), None

    return limit


_LIMITS: Mapping[JobKind, Callable[[Settings, Deployment], tuple[float, float | None]]] = {
    JobKind.BUILD: lambda settings, _: (settings.build_deadline, settings.build_silence),
    JobKind.PUSH: lambda settings, _: (settings.push_deadline, settings.transfer_silence),
    JobKind.DEPLOY: lambda settings, _: (settings.deploy_deadline, settings.transfer_silence),
    JobKind.HEALTH_CHECK: _check_limit,
    **{kind: _one_off_limit(kind) for kind in ONE_OFFS},
    JobKind.DRAIN: lambda settings, _: (settings.drain_deadline, None),
}
