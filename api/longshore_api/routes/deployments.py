"""Deployments: asked for with JSON or with an upload, shown."""

from typing import Any

from flask import Response, request

from longshore.domain.specs import GitSource
from longshore.domain.states import Trigger
from longshore.services import cancelling, deployments, locks, planning, rollbacks
from longshore.services.asked import NewDeployment
from longshore.services.planning import PlanView
from longshore.services.rollbacks import NewRollback, RollbackView
from longshore.services.tokens import Scope
from longshore.services.views import DeploymentView
from longshore_api import uploads
from longshore_api.access import caller, requires
from longshore_api.answers import room, show
from longshore_api.idempotency import idempotent
from longshore_api.pages import DeploymentPage, EventPage
from longshore_api.schemas import AppPath, DeploymentPath, DeploymentSource, PageQuery, PlanQuery, RollbackBody
from longshore_api.state import services

api = room("deployments", "One attempt to put a release into service.")

REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "source": {
                            "type": "object",
                            "description": "Exactly one of the two.",
                            "properties": {"git": GitSource.model_json_schema(), "image": {"type": "string"}},
                        },
                        "release": {"type": "integer", "description": "An older release instead of a source."},
                        "config": {"type": "object", "description": "Changes that go with it; a merge patch."},
                        "plan_hash": {"type": "string", "description": "Refused (409) unless it is still this plan."},
                    },
                }
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["source"],
                    "properties": {
                        "source": {
                            "type": "string",
                            "format": "binary",
                            "description": "The build context as .tar, .tar.gz or .zip.",
                        },
                        "spec": {"type": "string", "description": 'That JSON: {"config": {…}}.'},
                    },
                }
            },
        },
    }
}


@api.post(
    "/apps/<app>/deployments",
    summary="Deploy a source, an image or an older release",
    responses={200: PlanView, 202: DeploymentView},
    openapi_extensions=REQUEST_BODY,
)
@requires(Scope.DEPLOY)
@idempotent(202, location="/v1/apps/{app}/deployments/{number}")
def create(path: AppPath, query: PlanQuery) -> DeploymentView | PlanView:
    """Accepted also while the engine, Redis, the registry or the router is down: then it waits, and says for what.

    With `plan=true` nothing is done, and the answer (200) says what would be; an upload need not be sent for that."""
    if query.plan:
        return planning.show(services(), path.app, _read(plan=True))
    locks.refuse_deployment(services(), path.app)  # nobody uploads half a gigabyte to learn that it is refused
    new = _read()
    with uploads.gone_if_refused(services(), new.source):
        return deployments.create(services(), path.app, new)


@api.post("/apps/<app>/deployments/<number>/cancel", summary="Cancel a deployment", responses={202: DeploymentView})
@requires(Scope.DEPLOY)
@idempotent(202)
def cancel(path: DeploymentPath) -> DeploymentView:
    """`cancel` in the answer says what that means now: at once, stopped and undone, or too late, so it finishes.

    Asking again changes nothing; 409 when it has ended.
    """
    return cancelling.cancel(services(), path.app, path.number, caller().name)


@api.post(
    "/apps/<app>/rollback",
    summary="Go back to an older release",
    responses={200: PlanView, 202: RollbackView},
)
@requires(Scope.DEPLOY)
@idempotent(202, location="/v1/apps/{app}/deployments/{number}")
def roll_back(path: AppPath, query: PlanQuery, body: RollbackBody) -> RollbackView | PlanView:
    """Default: the last good one before the live one. Cancels what runs unless it switches already, supersedes what
    waits, and never waits for a build. `changes` names the fields and variables whose values change."""
    asked = NewRollback(Trigger(body.trigger), caller().name, body.release, body.force, body.plan_hash)
    if query.plan:
        return rollbacks.plan(services(), path.app, asked)
    return rollbacks.roll_back(services(), path.app, asked)


@api.get("/apps/<app>/deployments", summary="The deployments of an app", responses={200: DeploymentPage})
@requires(Scope.READ)
def index(path: AppPath, query: PageQuery) -> Response:
    """Newest first."""
    return show(deployments.show_all(services(), path.app, limit=query.limit, cursor=query.cursor))


@api.get("/apps/<app>/deployments/<number>", summary="One deployment", responses={200: DeploymentView})
@requires(Scope.READ)
def read(path: DeploymentPath) -> Response:
    """With its jobs, the steps of its build, and why it waits if it does."""
    return show(deployments.show(services(), path.app, path.number))


@api.get("/apps/<app>/deployments/<number>/events", summary="What happened", responses={200: EventPage})
@requires(Scope.READ)
def events(path: DeploymentPath, query: PageQuery) -> Response:
    """Oldest first."""
    return show(deployments.show_events(services(), path.app, path.number, limit=query.limit, cursor=query.cursor))


def _read(*, plan: bool = False) -> NewDeployment:
    if request.mimetype == "multipart/form-data":
        return _from_upload(plan)
    return _from_json(DeploymentSource.model_validate(request.get_json()))


def _from_json(body: DeploymentSource) -> NewDeployment:
    if (body.source is None) == (body.release is None):
        raise uploads.one_of("either `source` or `release` is needed, and not both")
    source = body.source.model_dump(exclude_none=True) if body.source else {"release": body.release}
    return _new(body, source)


def _from_upload(plan: bool) -> NewDeployment:
    body = DeploymentSource.model_validate_json(request.form.get("spec") or "{}")
    if body.source is not None or body.release is not None:
        raise uploads.one_of("the source is the uploaded file: `spec` cannot name another one")
    return _new(body, {"upload": ""} if plan else uploads.accept(services()))


def _new(body: DeploymentSource, source: dict[str, Any]) -> NewDeployment:
    config, env = body.config.split() if body.config else ({}, {})
    return NewDeployment(source, Trigger(body.trigger), caller().name, config, env, plan_hash=body.plan_hash)
