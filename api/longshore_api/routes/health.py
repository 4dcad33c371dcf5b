"""Is the process alive, and is everything there to work."""

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from longshore.errors import PartDownError
from longshore.services import parts
from longshore_api.access import public
from longshore_api.answers import show
from longshore_api.pages import PartView, Readiness
from longshore_api.state import services

api = APIBlueprint("health", __name__, abp_tags=[Tag(name="health", description="Answer without a token.")])


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


@api.get("/healthz", summary="Is the process alive?", responses={200: Alive})
@public
def healthz() -> Response:
    """Answers as long as the process does, whatever else is down."""
    return show(Alive())


@api.get("/readyz", summary="Is everything there to work?", responses={200: Readiness, 503: Readiness})
@public
def readyz() -> Response:
    """503 names each part that is down. Deployments are accepted all the same, unless it is the database."""
    found = _look()
    ready = all(part.ok for part in found)
    return show(Readiness(ready=ready, parts=found), 200 if ready else 503)


def _look() -> list[PartView]:
    try:
        rows = parts.look(services())
    except PartDownError as error:
        return [PartView(name=error.part, ok=False, problem=error.message, hint=error.hint)]
    return [PartView(name=row.name, ok=row.problem is None, problem=row.problem, hint=row.hint) for row in rows]
