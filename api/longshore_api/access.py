"""Who may do what. Closed by default: a route that says nothing answers nobody."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, g, request

from longshore.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from longshore.services import tokens
from longshore.services.tokens import Caller, Scope
from longshore_api.state import services

View = TypeVar("View", bound=Callable[..., Any])

RULE = "longshore_access"
PUBLIC = "public"
DOCUMENTS = ("openapi.", "swagger.")  # blueprints of the API's documentation: they show no state


def requires(scope: Scope, *, any_app: bool = False) -> Callable[[View], View]:
    """A view for callers with this scope. ``any_app``: not for tokens that are bound to one app."""

    def mark(view: View) -> View:
        setattr(view, RULE, (scope, any_app))
        return view

    return mark


def public(view: View) -> View:
    """A view that answers without a token."""
    setattr(view, RULE, PUBLIC)
    return view


def register(app: Flask) -> None:
    """Check every request before its view, also those that lead nowhere."""

    @app.before_request
    def check() -> None:
        rule = rule_of(app, request.endpoint)
        if rule == PUBLIC:
            return
        g.caller = caller = _recognise()
        if rule is not None:
            _admit(caller, *rule)
        elif request.endpoint is not None:
            raise ForbiddenError("this answers nobody: its route has no access rule", hint="Please report it.")


def rule_of(app: Flask, endpoint: str | None) -> Any:
    """What a route demands; ``None`` when it says nothing."""
    if endpoint is not None and endpoint.startswith(DOCUMENTS):
        return PUBLIC
    return getattr(app.view_functions.get(endpoint or ""), RULE, None)


def caller() -> Caller:
    """Who asks, in a view that demands a token."""
    known: Caller = g.caller
    return known


def _recognise() -> Caller:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not text.strip():
        raise UnauthenticatedError(
            "this needs a token",
            hint="Send `Authorization: Bearer <token>`; the first one is in the file admin-token in the home.",
        )
    return tokens.recognise(services(), text.strip())


def _admit(caller: Caller, scope: Scope, any_app: bool) -> None:
    """An app that a token is not for does not exist as far as that token is concerned."""
    named = (request.view_args or {}).get("app")
    if named is not None and not caller.sees(named):
        raise NotFoundError(f"there is no app named {named[:60]}", hint="This token may be for another app.")
    if not caller.may(scope) or (any_app and caller.app is not None):
        raise ForbiddenError(
            f"the token {caller.name} may not do this",
            hint=f"It needs the scope {scope.name.lower()}" + (" for all apps." if any_app else "."),
        )


def undeclared(app: Flask) -> list[str]:
    """Routes without a rule: there must be none."""
    return [rule.rule for rule in app.url_map.iter_rules() if rule_of(app, rule.endpoint) is None]
