"""Errors as problem+json (RFC 9457), mapped once: ours, Werkzeug's, and those nobody foresaw."""

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, jsonify, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import HTTPException

from longshore.errors import LongshoreError

log = logging.getLogger("longshore.api")

MEDIA_TYPE = "application/problem+json"
_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}
_HINTS = {
    404: "The paths there are: GET /openapi.json, or /docs in a browser.",
    413: "Send less, or raise LONGSHORE_UPLOAD_LIMIT; a .dockerignore keeps what is not needed out.",
    415: "Send application/json, or multipart/form-data with a field `source`.",
}


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """What went wrong: what happened, whose fault it is, what to do next."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    fault: str
    hint: str | None = None
    errors: list[FieldProblem] | None = None


def register(app: Flask) -> None:
    """Map every kind of error of this app."""
    app.register_error_handler(LongshoreError, _ours)
    app.register_error_handler(ValidationError, from_validation)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def from_validation(error: ValidationError) -> Response:
    """A body or parameter that does not fit its type."""
    fields = [FieldProblem(field=".".join(map(str, one["loc"])), message=_words(one)) for one in error.errors()]
    first = fields[0]
    detail = f"{first.field}: {first.message}" if first.field else first.message
    return answer(
        Problem(title="Bad Request", status=400, detail=detail, code="invalid", fault="request", errors=fields)
    )


def answer(problem: Problem) -> Response:
    """A problem as a response."""
    response = jsonify(problem.model_dump(exclude_none=True))
    response.status_code, response.mimetype = problem.status, MEDIA_TYPE
    return response


def _ours(error: LongshoreError) -> Response:
    response = answer(
        Problem(
            title=_title(error.status),
            status=error.status,
            detail=error.message,
            code=error.code,
            fault=error.fault.value,
            hint=error.hint,
        )
    )
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retryable:
        response.headers["Retry-After"] = "2"
    return response


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    detail = error.description or error.name
    if status == 404:
        detail = f"there is nothing at {request.path[:200]}"
    problem = Problem(
        title=_title(status),
        status=status,
        detail=detail,
        code=_CODES.get(status, error.name.lower().replace(" ", "_")),
        fault="request" if status < 500 else "platform",
        hint=_HINTS.get(status),
    )
    response = answer(problem)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(allowed)
    return response


def _unforeseen(error: Exception) -> Response:
    log.exception("a request failed in a way nobody foresaw", exc_info=error)
    return answer(
        Problem(
            title=_title(500),
            status=500,
            detail="Longshore failed in a way nobody foresaw.",
            code="internal",
            fault="platform",
            hint="The log of the web process has the details; please report it.",
        )
    )


def _title(status: int) -> str:
    return HTTPStatus(status).phrase


def _words(error: Any) -> str:
    return str(error["msg"]).removeprefix("Value error, ")
