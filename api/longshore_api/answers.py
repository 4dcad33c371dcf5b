"""Views as responses."""

from typing import Any

from flask import Response, current_app
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel

from longshore.services.views import DeploymentView
from longshore_api.problems import Problem

SECURITY: list[dict[str, list[Any]]] = [{"token": []}]


def room(name: str, description: str, prefix: str = "/v1") -> APIBlueprint:
    """A blueprint for one resource: bearer tokens, and problems as the default answer."""
    return APIBlueprint(
        name,
        name,
        url_prefix=prefix,
        abp_tags=[Tag(name=name, description=description)],
        abp_security=SECURITY,
        abp_responses={400: Problem, "default": Problem},
    )


def show(view: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A view as JSON."""
    return as_json(view.model_dump_json(), status, headers)


def show_change(view: BaseModel) -> Response:
    """What a change came to: a deployment that was begun (202), or what was only declared or planned (200)."""
    if not isinstance(view, DeploymentView):
        return show(view)
    return show(view, 202, {"Location": f"/v1/apps/{view.app}/deployments/{view.number}"})


def as_json(body: str, status: int, headers: dict[str, str] | None = None) -> Response:
    """A view that is JSON already."""
    return current_app.response_class(body + "\n", status=status, mimetype="application/json", headers=headers)
