"""Locks: an app's deployments held back, with a reason."""

from flask import Response

from longshore.services import locks
from longshore.services.locks import NewLock
from longshore.services.tokens import Scope
from longshore.services.views import AppView
from longshore_api.access import caller, requires
from longshore_api.answers import room, show
from longshore_api.idempotency import idempotent
from longshore_api.schemas import AppPath, LockBody
from longshore_api.state import services

api = room("locks", "Hold an app's deployments back.")


@api.post("/apps/<app>/lock", summary="Lock an app, or change one's lock", responses={200: AppView})
@requires(Scope.DEPLOY)
@idempotent(200)
def lock(path: AppPath, body: LockBody) -> AppView:
    """With the mode `refuse` new deployments are refused (409), with `wait` they are accepted and wait; those queued
    already wait in both. What runs goes on. The token that locked it is its owner."""
    return locks.lock(services(), path.app, NewLock(body.reason, body.mode, body.until), caller())


@api.delete("/apps/<app>/lock", summary="Lift an app's lock", responses={200: AppView})
@requires(Scope.DEPLOY)
def unlock(path: AppPath) -> Response:
    """For its owner and for admins. The next deployment in line begins at once."""
    return show(locks.unlock(services(), path.app, caller()))
