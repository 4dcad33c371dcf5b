"""The app factory."""

from flask import Response, redirect
from flask_openapi3 import Info, OpenAPI
from werkzeug.wrappers import Response as RawResponse

from longshore import __version__
from longshore.services import Services
from longshore_api import access, bodies, idempotency, problems, state
from longshore_api.routes import (
    apps,
    configuration,
    deployments,
    health,
    locks,
    logs,
    queue,
    releases,
    runs,
    tokens,
    volumes,
)

JSON_LIMIT = 1024**2  # bytes of a body that is not an upload
MULTIPART_ROOM = 64 * 1024  # the fields and boundaries around an upload

DESCRIPTION = (
    "Build, push, deploy and health-check containers. Every error is an `application/problem+json` object with "
    "`code`, `fault` (request, app or platform) and a `hint`."
)


def create_app(services: Services) -> OpenAPI:
    """The WSGI application over open services."""
    app = OpenAPI(
        "longshore_api",
        info=Info(title="Longshore", version=__version__, description=DESCRIPTION),
        security_schemes={"token": {"type": "http", "scheme": "bearer"}},
        validation_error_status=400,
        validation_error_model=problems.Problem,
        validation_error_callback=problems.from_validation,
        doc_prefix="/docs",
        static_folder=None,
    )
    app.config["MAX_CONTENT_LENGTH"] = services.settings.upload_limit + MULTIPART_ROOM
    app.json.sort_keys = False  # type: ignore[attr-defined]
    state.attach(app, services)
    problems.register(app)
    access.register(app)
    bodies.register(app, json_limit=JSON_LIMIT)
    for room in (health, apps, configuration, deployments, locks, logs, queue, releases, runs, tokens, volumes):
        app.register_api(room.api)
    idempotency.register(app)
    app.add_url_rule("/openapi.json", "openapi_document", access.public(lambda: app.api_doc))
    app.add_url_rule("/docs", "docs", access.public(_docs))
    app.after_request(_harden)
    return app


def _docs() -> RawResponse:
    return redirect("/docs/swagger")


def _harden(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Cache-Control", "no-store")
    return response
