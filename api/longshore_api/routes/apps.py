"""Apps: declared, shown, changed, deleted."""

from flask import Response

from longshore.domain.states import Trigger
from longshore.services import apps, deployments, locks, replicas
from longshore.services.apps import NewApp
from longshore.services.asked import CURRENT, NewDeployment
from longshore.services.tokens import Scope
from longshore.services.views import AppView, DeploymentView
from longshore.services.volume_views import DeletedAppView
from longshore_api.access import caller, requires
from longshore_api.answers import room, show, show_change
from longshore_api.idempotency import idempotent
from longshore_api.pages import AppPage, ReplicaPage
from longshore_api.schemas import AppBody, AppPatch, AppPath, PageQuery
from longshore_api.state import services

api = room("apps", "What is deployed.")


@api.post("/apps", summary="Declare an app", responses={201: AppView})
@requires(Scope.DEPLOY, any_app=True)
@idempotent(201, location="/v1/apps/{name}")
def create(body: AppBody) -> AppView:
    """Nothing runs yet: that takes a deployment."""
    config, env = body.split()
    new = NewApp(
        name=body.name,
        config=config,
        env={key: value for key, value in env.items() if value is not None},
        domains=body.domains,
        weight=body.weight,
        max_rps=body.max_rps,
        queue=body.queue,
        routing=body.routing.model_dump(mode="json", exclude_defaults=True),
    )
    return apps.create(services(), new)


@api.get("/apps", summary="All apps", responses={200: AppPage})
@requires(Scope.READ)
def index(query: PageQuery) -> Response:
    """In the order of their names; a token for one app sees that one."""
    return show(apps.show_all(services(), only=caller().app, limit=query.limit, cursor=query.cursor))


@api.get("/apps/<app>", summary="One app", responses={200: AppView})
@requires(Scope.READ)
def read(path: AppPath) -> Response:
    """Of its environment only the names are shown."""
    return show(apps.show(services(), path.app))


@api.patch("/apps/<app>", summary="Change an app", responses={200: AppView, 202: DeploymentView})
@requires(Scope.DEPLOY)
def update(path: AppPath, body: AppPatch) -> Response:
    """A merge patch. What belongs to the app takes effect at once (200); what belongs to a release becomes a
    deployment without a build as soon as a release is live (202)."""
    at_once = body.of_the_app()
    config, env = body.split()
    if config or env:
        locks.refuse_configuration(services(), path.app)
    if at_once or not (config or env):
        view = apps.change(services(), path.app, at_once)
    if config or env:
        wanted = NewDeployment(CURRENT, Trigger.API, caller().name, config, env)
        return show_change(deployments.reconfigure(services(), path.app, wanted))
    return show(view)


@api.delete("/apps/<app>", summary="Delete an app", responses={202: DeletedAppView})
@requires(Scope.ADMIN)
def delete(path: AppPath) -> Response:
    """Out of service at once; its name is free again when its last container is gone. Its volumes are kept."""
    return show(apps.delete(services(), path.app), 202)


@api.get("/apps/<app>/replicas", summary="Its running containers", responses={200: ReplicaPage})
@requires(Scope.READ)
def list_replicas(path: AppPath, query: PageQuery) -> Response:
    """Newest first; the live ones are what the router leads to."""
    return show(replicas.show_all(services(), path.app, limit=query.limit, cursor=query.cursor))
