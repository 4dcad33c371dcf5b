"""Volumes: what an app keeps, and how that is taken away."""

from flask import Response

from longshore.services import volumes
from longshore.services.tokens import Scope
from longshore.services.volume_views import VolumeView
from longshore_api.access import caller, requires
from longshore_api.answers import room, show
from longshore_api.pages import VolumePage
from longshore_api.schemas import AppPath, ConfirmQuery, PageQuery, VolumePath
from longshore_api.state import services

api = room("volumes", "Folders that outlive releases.")


@api.get("/apps/<app>/volumes", summary="The volumes of an app", responses={200: VolumePage})
@requires(Scope.READ)
def index(path: AppPath, query: PageQuery) -> Response:
    """Newest first; also those of an app that was deleted."""
    return show(volumes.show_all(services(), path.app, limit=query.limit, cursor=query.cursor))


@api.delete("/apps/<app>/volumes/<name>", summary="Remove a volume and all that is in it", responses={202: VolumeView})
@requires(Scope.ADMIN)
def delete(path: VolumePath, query: ConfirmQuery) -> Response:
    """`confirm` must be its name. 409 while a release that is live, or anything that runs or waits, uses it."""
    return show(volumes.remove(services(), path.app, path.name, confirm=query.confirm, actor=caller().name), 202)
