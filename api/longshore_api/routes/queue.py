"""The queue: what runs, and what waits and why."""

from flask import Response

from longshore.services import queue
from longshore.services.tokens import Scope
from longshore_api.access import caller, requires
from longshore_api.answers import room, show
from longshore_api.pages import QueuePage
from longshore_api.schemas import PageQuery
from longshore_api.state import services

api = room("queue", "What runs, and what waits and why.")


@api.get("/queue", summary="What runs, what waits and why", responses={200: QueuePage})
@requires(Scope.READ)
def index(query: PageQuery) -> Response:
    """What runs first, then what waits, oldest first; a token for one app sees that one's."""
    return show(queue.show(services(), only=caller().app, limit=query.limit, cursor=query.cursor))
