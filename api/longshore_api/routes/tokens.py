"""Tokens."""

from flask import Response

from longshore.services import tokens
from longshore.services.tokens import Scope
from longshore.services.views import NewTokenView, new_token_view
from longshore_api.access import requires
from longshore_api.answers import room, show
from longshore_api.idempotency import idempotent
from longshore_api.pages import TokenPage
from longshore_api.schemas import PageQuery, TokenBody, TokenPath
from longshore_api.state import services

api = room("tokens", "Keys to this API.")


@api.post("/tokens", summary="Make a token", responses={201: NewTokenView})
@requires(Scope.ADMIN, any_app=True)
@idempotent(201)
def create(body: TokenBody) -> NewTokenView:
    """Its text is in this answer and nowhere else, ever."""
    view, text = tokens.create(services(), body.name, Scope[body.scope.upper()], app=body.app, days=body.days)
    return new_token_view(view, text)


@api.get("/tokens", summary="All tokens", responses={200: TokenPage})
@requires(Scope.ADMIN, any_app=True)
def index(query: PageQuery) -> Response:
    """Newest first, without their secrets."""
    return show(tokens.show_all(services(), limit=query.limit, cursor=query.cursor))


@api.delete("/tokens/<name>", summary="Revoke a token", responses={204: None})
@requires(Scope.ADMIN, any_app=True)
def revoke(path: TokenPath) -> Response:
    """From now on it opens nothing."""
    tokens.revoke(services(), path.name)
    return Response(status=204)
