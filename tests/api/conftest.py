"""The API over real services: real rows and files, fakes behind them, Flask's own test client."""

import io
import tarfile
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from longshore_api.app import create_app

from longshore.services import tokens
from longshore.services.tokens import Scope


class Caller:
    """A test client that sends a token."""

    def __init__(self, client: FlaskClient, token: str | None) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, **given):
        headers = {**self.headers, **given.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **given)


@pytest.fixture
def web(stack):
    """The application, and the stack behind it."""
    app = create_app(stack.services)
    app.stack = stack
    return app


@pytest.fixture
def as_(web) -> Callable[..., Caller]:
    """A caller with a scope, perhaps for one app only."""

    def make(scope: str = "admin", app: str | None = None) -> Caller:
        _, text = tokens.create(web.stack.services, f"{scope} {app}", Scope[scope.upper()], app=app)
        return Caller(web.test_client(), text)

    return make


@pytest.fixture
def admin(as_) -> Caller:
    """Who may do everything."""
    return as_()


@pytest.fixture
def hello(admin, web):
    """The app hello, without a release."""
    assert admin("POST", "/v1/apps", json={"name": "hello"}).status_code == 201
    web.stack.queue.lose_all()
    return admin


def tar_of(files: dict[str, str], mode: str = "w") -> bytes:
    """A build context."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return raw.getvalue()


@pytest.fixture
def context() -> Callable[..., bytes]:
    """Makes a build context."""
    return tar_of
