"""What gunicorn calls: ``longshore_api.wsgi:create()``."""

import atexit
from contextlib import ExitStack

from flask_openapi3 import OpenAPI

from longshore.bootstrap import open_services
from longshore.settings import Settings
from longshore_api.app import create_app


def create() -> OpenAPI:
    """The application, with services that live as long as this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return create_app(stack.enter_context(open_services(Settings())))
