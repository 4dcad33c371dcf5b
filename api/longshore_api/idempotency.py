"""The header Idempotency-Key: a POST that is sent again is not done again, and gets the answer it got before."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from flask_openapi3 import OpenAPI
from flask_openapi3.models import Parameter, ParameterInType, Schema
from pydantic import BaseModel

from longshore.errors import ConflictError, InvalidRequestError
from longshore.services import idempotency
from longshore.services.idempotency import Ask
from longshore_api.access import caller
from longshore_api.answers import as_json
from longshore_api.fingerprint import fingerprint
from longshore_api.state import services

HEADER, REPLAYED = "Idempotency-Key", "Idempotent-Replayed"
RULE = "longshore_idempotent"
UNDER = "/v1/"  # not the hooks: their senders number what they deliver themselves
KEY = re.compile(r"[\x21-\x7e]{1,255}")
PARAMETER = Parameter(
    name=HEADER,
    param_in=ParameterInType.HEADER,
    description="Makes a repeat safe: the same key with the same request gets the same answer, for 24 hours.",
    param_schema=Schema(type="string", minLength=1, maxLength=255),
)


class StillRunningError(ConflictError):
    """The first request with this key has no answer yet."""

    code = "still_running"
    retryable = True


@dataclass(frozen=True)
class Rule:
    """How a POST answers when all went well. ``location`` is filled in from the fields of the view; a view that lacks
    one is of something else than what was begun: of a plan, or of what was only declared. That is a 200."""

    status: int
    location: str | None

    def answer(self, body: str) -> Response:
        """The first answer and every repeat of it: both are made here, from the same text."""
        if self.location is None:
            return as_json(body, self.status)
        try:
            return as_json(body, self.status, {"Location": self.location.format_map(json.loads(body))})
        except KeyError:
            return as_json(body, HTTPStatus.OK)


@dataclass
class Underway:
    """The requests with a key that this process works on."""

    keys: set[tuple[str, str]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def alone(self, holder: str, key: str) -> Iterator[None]:
        """``StillRunningError`` while another thread is inside with the same key."""
        with self.lock:
            if (holder, key) in self.keys:
                hint = "Send it again in a moment, with the same key, to get its answer."
                raise StillRunningError("the first request with this Idempotency-Key is still running", hint=hint)
            self.keys.add((holder, key))
        try:
            yield
        finally:
            self.keys.discard((holder, key))


def idempotent(
    status: int, location: str | None = None
) -> Callable[[Callable[..., BaseModel]], Callable[..., Response]]:
    """A POST that answers with this status and the view it gives. What it calls must ``keep`` that very view."""
    rule = Rule(status, location)

    def mark(view: Callable[..., BaseModel]) -> Callable[..., Response]:
        @wraps(view)
        def answer(*args: Any, **given: Any) -> Response:
            return rule.answer(view(*args, **given).model_dump_json())

        setattr(answer, RULE, rule)
        return answer

    return mark


def register(app: OpenAPI) -> None:
    """Put every POST there is behind its key, and say so in the API's document. After the routes."""
    underway = Underway()
    for endpoint in _posts(app):
        rule = _rule_of(app, endpoint)
        if rule is not None:
            app.view_functions[endpoint] = _once(app.view_functions[endpoint], rule, underway)
    for item in app.paths.values():
        if item.post is not None:  # blueprints are shared by all apps of a process: it may be there already
            others = [one for one in item.post.parameters or [] if one.name != HEADER]
            item.post.parameters = [*others, PARAMETER]


def undeclared(app: Flask) -> list[str]:
    """POSTs that take no key: there must be none."""
    return [path for endpoint, path in _posts(app).items() if _rule_of(app, endpoint) is None]


def _posts(app: Flask) -> dict[str, str]:
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(UNDER)]
    return {rule.endpoint: rule.rule for rule in rules if "POST" in (rule.methods or ())}


def _rule_of(app: Flask, endpoint: str) -> Rule | None:
    return getattr(app.view_functions[endpoint], RULE, None)


def _once(view: Callable[..., Any], rule: Rule, underway: Underway) -> Callable[..., Any]:
    """The view, asked at most once for each key. Access and the kind of body are checked before any view."""

    @wraps(view)
    def answer(**given: Any) -> Any:
        if HEADER not in request.headers:
            return view(**given)
        holder, key = caller().prefix, _key()
        with underway.alone(holder, key):
            ask = Ask(holder, key, fingerprint())
            return _replay(ask, rule) or _first(ask, rule, lambda: view(**given))

    return answer


def _first(ask: Ask, rule: Rule, view: Callable[[], Any]) -> Any:
    try:
        with idempotency.asking(ask):
            return view()
    except Exception:  # another process may have been faster, or a commit was not confirmed: then there is an answer
        replay = _replay(ask, rule)
        if replay is None:
            raise
        return replay


def _replay(ask: Ask, rule: Rule) -> Response | None:
    body = idempotency.kept(services(), ask)
    if body is None:
        return None
    response = rule.answer(body)
    response.headers[REPLAYED] = "true"
    return response


def _key() -> str:
    key = request.headers[HEADER]
    if not KEY.fullmatch(key):
        raise InvalidRequestError(
            f"the {HEADER} cannot be read",
            code="bad_key",
            hint="1 to 255 visible ASCII characters without spaces; a random UUID is a good one.",
        )
    return key
