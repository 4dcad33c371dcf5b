"""Runs: one-off commands in the live release."""

from flask import Response

from longshore.services import runs
from longshore.services.runs import NewRun, RunView
from longshore.services.tokens import Scope
from longshore_api.access import caller, requires
from longshore_api.answers import room, show
from longshore_api.idempotency import idempotent
from longshore_api.pages import LogPage, RunPage
from longshore_api.routes.logs import answer
from longshore_api.schemas import AppPath, LogQuery, PageQuery, RunBody, RunPath
from longshore_api.state import services
from longshore_api.streams import run_of

api = room("runs", "One-off commands, in the image and with the environment of the live release.")


@api.post("/apps/<app>/runs", summary="Run a command once", responses={202: RunView})
@requires(Scope.DEPLOY)
@idempotent(202, location="/v1/apps/{app}/runs/{number}")
def create(path: AppPath, body: RunBody) -> RunView:
    """It is begun once: when its worker goes away in the middle it has failed, and is not repeated."""
    asked = NewRun(body.command, caller().name, body.process, body.deadline)
    return runs.create(services(), path.app, asked)


@api.get("/apps/<app>/runs", summary="The runs of an app", responses={200: RunPage})
@requires(Scope.READ)
def index(path: AppPath, query: PageQuery) -> Response:
    """Newest first."""
    return show(runs.show_all(services(), path.app, limit=query.limit, cursor=query.cursor))


@api.get("/apps/<app>/runs/<number>", summary="One run", responses={200: RunView})
@requires(Scope.READ)
def read(path: RunPath) -> Response:
    """With the exit code once it has ended."""
    return show(runs.show(services(), path.app, path.number))


@api.delete("/apps/<app>/runs/<number>", summary="Cancel a run", responses={202: RunView})
@requires(Scope.DEPLOY)
def cancel(path: RunPath) -> Response:
    """One that waits ends at once, one that runs is stopped; 409 when it has ended."""
    return show(runs.cancel(services(), path.app, path.number), 202)


@api.get("/apps/<app>/runs/<number>/logs", summary="What a run printed", responses={200: LogPage})
@requires(Scope.READ)
def output(path: RunPath, query: LogQuery) -> Response:
    """By `Accept`, like the log of a deployment."""
    return answer(run_of(services(), path.app, path.number), query)
