"""The steps, one file each. Each can be killed at any instruction and run again to the same end."""

from collections.abc import Mapping

from longshore.domain.states import ONE_OFFS, JobKind
from longshore.services.steps.build import BuildStep
from longshore.services.steps.deploy import DeployStep
from longshore.services.steps.drain import DrainStep
from longshore.services.steps.health_check import HealthCheckStep
from longshore.services.steps.one_off import OneOffStep
from longshore.services.steps.push import PushStep
from longshore.services.work import Step

STEPS: Mapping[JobKind, Step] = {
    JobKind.BUILD: BuildStep(),
    JobKind.PUSH: PushStep(),
    JobKind.DEPLOY: DeployStep(),
    JobKind.HEALTH_CHECK: HealthCheckStep(),
    **dict.fromkeys(ONE_OFFS, OneOffStep()),
    JobKind.DRAIN: DrainStep(),
}
