"""Releases: image and configuration, numbered."""

from flask import Response

from longshore.services import releases
from longshore.services.tokens import Scope
from longshore_api.access import requires
from longshore_api.answers import room, show
from longshore_api.schemas import AppPath, PageQuery, ReleasePage
from longshore_api.state import services

api = room("releases", "Immutable: app, number, image, configuration.")


@api.get("/apps/<app>/releases", summary="The releases of an app", responses={200: ReleasePage})
@requires(Scope.READ)
def index(path: AppPath, query: PageQuery) -> Response:
    """Newest first, with the Dockerfile where Longshore wrote it."""
    return show(releases.show_all(services(), path.app, limit=query.limit, cursor=query.cursor))
