"""Which points there are: asked of the code itself, by deployments over fakes. A new step is in the list by itself."""

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import projects
from fakestack import GIT, Stack, make_services, make_settings, make_worker_services
from harness import archive
from longshore_api.app import create_app

from longshore.adapters.db import SqlDatabase
from longshore.adapters.schema import migrate
from longshore.services import Services, WorkerServices, apps, sweeps, tokens
from longshore.services.apps import NewApp
from longshore.testing.points import Points

IMAGE = "example.com/hello:1"
COMMAND = {"release_command": {"command": ["true"]}}  # the hooks are run by the same step
ARMS = ("push", "deploy")  # they run side by side: whichever ends last rings what follows


@dataclass(frozen=True)
class Named:
    """A point, and of which kind of source a deployment must be to pass it."""

    name: str
    source: str

    @property
    def job(self) -> str:
        """The job it belongs to."""
        return self.name.partition(":")[0]

    @property
    def names(self) -> list[str]:
        """Itself, and those that stand for it in a real run."""
        rest = self.name.partition(":")[2]
        return [f"{arm}:{rest}" for arm in ARMS] if self.job in ARMS and "queue.send" in rest else [self.name]

    def __str__(self) -> str:
        """As a test's id."""
        return f"{self.name} [{self.source}]"


def _uploaded(stack: Stack) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as file:
        file.write(archive(projects.web("over fakes")))
        file.flush()
        return {"upload": stack.files.accept(Path(file.name))}


SOURCES: dict[str, Callable[[Stack], dict[str, Any]]] = {
    "upload": _uploaded,
    "git": lambda _: {"git": {"url": GIT}},
    "image": lambda _: {"image": IMAGE},
}


@cache
def reached_over_fakes(source: str) -> tuple[str, ...]:
    """The points that a second deployment passes, in order: one that has an old side to drain."""
    with tempfile.TemporaryDirectory() as folder, _rows(folder) as database:
        return _deploy_twice(Stack(*_opened(folder, database)), source)


def _opened(folder: str, database: SqlDatabase) -> tuple[Services, WorkerServices]:
    home = Path(folder) / "home"
    home.mkdir()
    services = make_services(make_settings(home), database)
    return services, make_worker_services(services)


def first_version(stack: Stack, source: str) -> None:
    """One that is live, so that the next one has an old side to drain."""
    stack.engine.publish(IMAGE)
    stack.create(config=COMMAND)
    stack.deploy(source=SOURCES[source](stack))
    stack.drive()


def _deploy_twice(stack: Stack, source: str) -> tuple[str, ...]:
    sweeps.beat(stack.worker)
    stack.services.clock.ticks.append(stack.worker.lease.renewed)
    first_version(stack, source)
    names: list[str] = []
    stack.worker = Points(names.append).instrument(stack.worker)
    number = stack.deploy(source=SOURCES[source](stack)).number
    stack.drive()
    assert stack.show(number).state == "succeeded"
    return tuple(dict.fromkeys(names))


@cache
def reached_by_a_request() -> tuple[str, ...]:
    """The points of the web process when it takes on a deployment of an upload."""
    with tempfile.TemporaryDirectory() as folder, _rows(folder) as database:
        services, _ = _opened(folder, database)
        _, token = tokens.create(services, "test", tokens.Scope.ADMIN)
        apps.create(services, NewApp("hello"))
        names: list[str] = []
        watched = Points(names.append, outside="web").instrument(services)
        files = {"source": (io.BytesIO(archive(projects.web("asked for"))), "hello.tar.gz")}
        headers = {"authorization": f"Bearer {token}", "idempotency-key": "once"}
        answer = create_app(watched).test_client().post("/v1/apps/hello/deployments", data=files, headers=headers)
        assert answer.status_code == 202, answer.text
        return tuple(dict.fromkeys(names))


@contextmanager
def _rows(folder: str) -> Iterator[SqlDatabase]:
    database = SqlDatabase(f"sqlite:///{folder}/rows.db")
    try:
        migrate(database)
        yield database
    finally:
        database.close()


def catalogue() -> list[Named]:
    """Every point once, with the first source that passes it."""
    found: dict[str, Named] = {}
    for source in SOURCES:
        for name in reached_over_fakes(source):
            found.setdefault(name, Named(name, source))
    return list({tuple(one.names): one for one in found.values()}.values())
