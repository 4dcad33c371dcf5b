"""The log of a deployment: pages, plain text, or a stream that can be resumed."""

from collections.abc import Iterator

from flask import Response, current_app, request

from longshore.services.pages import LONGEST_CURSOR
from longshore.services.tokens import Scope
from longshore_api.access import requires
from longshore_api.answers import room, show
from longshore_api.pages import LogPage
from longshore_api.schemas import DeploymentPath, LogQuery
from longshore_api.state import services
from longshore_api.streams import Followed, deployment_of, stream

api = room("logs", "What the jobs of a deployment printed.")

AT_ONCE = 500


@api.get(
    "/apps/<app>/deployments/<number>/logs",
    summary="The log of a deployment",
    responses={200: LogPage},
)
@requires(Scope.READ)
def read(path: DeploymentPath, query: LogQuery) -> Response:
    """By `Accept`: application/json in pages; text/plain, all there is; text/event-stream, followed to the end and
    resumable with `Last-Event-ID`."""
    return answer(deployment_of(services(), path.app, path.number), query)


def answer(followed: Followed, query: LogQuery) -> Response:
    """What something prints, as the client wants it."""
    wanted = request.accept_mimetypes.best_match(["application/json", "text/plain", "text/event-stream"])
    row_id = followed.glance().row_id
    if wanted == "text/event-stream":
        return stream(followed, _resumed(request.headers.get("Last-Event-ID", "")) or query.cursor)
    if wanted == "text/plain":
        return current_app.response_class(_plain(followed, row_id, query.cursor), mimetype="text/plain")
    items = followed.read(row_id, after=query.cursor, limit=query.limit)
    last = str(items[-1].sequence) if items else None
    return show(LogPage(items=items, next_cursor=last if len(items) == query.limit else None))


def _resumed(event_id: str) -> int | None:
    """Where a browser was when its line broke; what is no id of ours starts from the beginning."""
    return int(event_id) if event_id.isdecimal() and len(event_id) <= LONGEST_CURSOR else None


def _plain(followed: Followed, row_id: int, after: int) -> Iterator[str]:
    """Read while it is sent, a part at a time; the services outlive the request."""
    while chunk := followed.read(row_id, after=after, limit=AT_ONCE):
        after = chunk[-1].sequence
        yield "".join(f"{one.text}\n" for one in chunk)
