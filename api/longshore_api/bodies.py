"""Bodies that cannot be read are refused before any view looks at them."""

from flask import Flask, request

from longshore.errors import InvalidRequestError, UnsupportedError

JSON, MULTIPART = "application/json", "multipart/form-data"
WITH_BODY = ("POST", "PUT", "PATCH")


def register(app: Flask, *, json_limit: int) -> None:
    """Check the body of every request that brings one; a body that is no upload is small."""

    @app.before_request
    def check() -> None:
        if request.mimetype != MULTIPART:
            request.max_content_length = json_limit
        if request.method in WITH_BODY and request.endpoint is not None:
            _refuse_unreadable()


def _json() -> object:
    try:
        return request.get_json(silent=True)
    except RecursionError:  # nested deeper than anybody means
        return None


def _says_nothing() -> bool:
    """No body at all: whoever needs one says what is missing."""
    return not request.content_length and "Transfer-Encoding" not in request.headers


def _refuse_unreadable() -> None:
    if request.mimetype == MULTIPART or _says_nothing():
        return
    if request.mimetype != JSON:
        raise UnsupportedError(
            f"a body of type {request.mimetype[:80] or 'unknown'} is not understood here",
            hint="Send application/json; sources also as multipart/form-data with a field `source`.",
        )
    if _json() is None:
        raise InvalidRequestError("the body is not JSON", code="bad_json", hint="Look for a missing quote or comma.")
