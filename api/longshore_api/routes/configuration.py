"""Configuration that is a release: environment, scale, restart. Each is a deployment without a build."""

from flask import Response

from longshore.domain.states import Trigger
from longshore.errors import ForbiddenError
from longshore.services import deployments, environment, planning, scaling
from longshore.services.asked import CURRENT, RESTART, NewDeployment
from longshore.services.environment import EnvView
from longshore.services.planning import PlanView
from longshore.services.tokens import Scope
from longshore.services.views import AppView, DeploymentView
from longshore_api.access import caller, requires
from longshore_api.answers import room, show, show_change
from longshore_api.idempotency import idempotent
from longshore_api.schemas import AppPath, ChangeBody, EnvBody, EnvQuery, PlanQuery, ScaleBody
from longshore_api.state import services

api = room("configuration", "What belongs to a release besides its image.")

DEPLOYMENT = "/v1/apps/{app}/deployments/{number}"


@api.get("/apps/<app>/env", summary="The environment", responses={200: EnvView})
@requires(Scope.READ)
def read_env(path: AppPath, query: EnvQuery) -> Response:
    """The names of its variables. The values are shown to admins who ask for them, and who asked is remembered."""
    if not query.reveal:
        return show(environment.show(services(), path.app))
    if not caller().may(Scope.ADMIN):
        raise ForbiddenError(f"the token {caller().name} may not see values", hint="It needs the scope admin.")
    return show(environment.reveal(services(), path.app, caller().name))


@api.put("/apps/<app>/env", summary="Replace the environment", responses={200: AppView, 202: DeploymentView})
@requires(Scope.DEPLOY)
def write_env(path: AppPath, query: PlanQuery, body: EnvBody) -> Response:
    """All of it: a variable that is not named is gone. To change some, PATCH the app. With a live release that is a
    deployment (202); before the first one it is only declared (200)."""
    wanted = NewDeployment(
        CURRENT, Trigger(body.trigger), caller().name, env={**body.env}, whole_env=True, plan_hash=body.plan_hash
    )
    return show_change(_change(path.app, query, wanted))


@api.post("/apps/<app>/scale", summary="Change how many run", responses={200: AppView, 202: DeploymentView})
@requires(Scope.DEPLOY)
@idempotent(202, location=DEPLOYMENT)
def scale(path: AppPath, query: PlanQuery, body: ScaleBody) -> AppView | DeploymentView | PlanView:
    """`{"replicas": 3}`, or by process: `{"processes": {"worker": 2}}`. Before the first release it is only
    declared (200)."""
    config = scaling.patch(services(), path.app, body.counts)
    wanted = NewDeployment(CURRENT, Trigger(body.trigger), caller().name, config, plan_hash=body.plan_hash)
    return _change(path.app, query, wanted)


@api.post("/apps/<app>/restart", summary="Replace every replica", responses={200: PlanView, 202: DeploymentView})
@requires(Scope.DEPLOY)
@idempotent(202, location=DEPLOYMENT)
def restart(path: AppPath, query: PlanQuery, body: ChangeBody) -> DeploymentView | PlanView:
    """New replicas of the live release take over from the old ones, as in every deployment; no release is made."""
    wanted = NewDeployment(RESTART, Trigger(body.trigger), caller().name, plan_hash=body.plan_hash)
    if query.plan:
        return planning.show(services(), path.app, wanted)
    return deployments.create(services(), path.app, wanted)


def _change(app: str, query: PlanQuery, wanted: NewDeployment) -> AppView | DeploymentView | PlanView:
    if query.plan:
        return planning.show(services(), app, wanted)
    return deployments.reconfigure(services(), app, wanted)
