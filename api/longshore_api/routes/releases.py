"""Releases: image and configuration, numbered."""

from flask import Response

from longshore.services import releases
from longshore.services.release_views import ReleaseView
from longshore.services.tokens import Scope
from longshore_api.access import caller, requires
from longshore_api.answers import room, show
from longshore_api.pages import ReleasePage
from longshore_api.schemas import AppPath, BlockBody, PageQuery, ReleasePath
from longshore_api.state import services

api = room("releases", "Immutable: app, number, image, configuration.")


@api.get("/apps/<app>/releases", summary="The releases of an app", responses={200: ReleasePage})
@requires(Scope.READ)
def index(path: AppPath, query: PageQuery) -> Response:
    """Newest first, with the Dockerfile where Longshore wrote it, and whether one can roll back to it."""
    return show(releases.show_all(services(), path.app, limit=query.limit, cursor=query.cursor))


@api.put("/apps/<app>/releases/<number>/block", summary="Let nobody go back to it", responses={200: ReleaseView})
@requires(Scope.DEPLOY)
def block(path: ReleasePath, body: BlockBody) -> Response:
    """A rollback to it is refused with this reason (409), and the default one passes it over. It may go on serving."""
    return show(releases.block(services(), path.app, path.number, body.reason, caller().name))


@api.delete("/apps/<app>/releases/<number>/block", summary="One may go back again", responses={200: ReleaseView})
@requires(Scope.DEPLOY)
def unblock(path: ReleasePath) -> Response:
    """Without a mark there is nothing to do."""
    return show(releases.unblock(services(), path.app, path.number, caller().name))
