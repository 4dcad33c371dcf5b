"""A stack without Docker or Redis: the real database, files and encryption, with fakes for everything outside."""

from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any

from longshore_workers.tasks import PERIODIC

from longshore.adapters.db import SqlDatabase
from longshore.adapters.files import HomeFiles
from longshore.adapters.secret_box import FernetBox, new_key
from longshore.domain.states import Trigger
from longshore.errors import PartDownError
from longshore.services import (
    Services,
    WorkerServices,
    apps,
    cancelling,
    deployments,
    jobs,
    logs,
    planning,
    releases,
    rollbacks,
    running,
    runs,
    sweeps,
)
from longshore.services.apps import NewApp
from longshore.services.asked import CURRENT, NewDeployment
from longshore.services.context import Lease, Watch
from longshore.services.planning import PlanView
from longshore.services.release_views import ReleaseView
from longshore.services.rollbacks import NewRollback
from longshore.services.shift import Shift
from longshore.services.views import DeploymentView
from longshore.settings import Settings
from longshore.testing import (
    FakeBuilder,
    FakeClock,
    FakeEngine,
    FakeGit,
    FakeLocks,
    FakeParts,
    FakeProber,
    FakeQueue,
    FakeRegistry,
    FakeRouter,
)

KEY = new_key()
GIT = "https://example.com/shop.git"


def make_settings(home: Path, **changes: Any) -> Settings:
    """Settings that see neither the environment's nor a ``.env`` file's values of what matters here."""
    return Settings(_env_file=None, home=home, **{"secret_keys": KEY, "disk_floor": 0, **changes})


def make_services(settings: Settings, database: SqlDatabase, **ports: Any) -> Services:
    """What the web process has."""
    given = {
        "db": database,
        "clock": FakeClock(),
        "queue": FakeQueue(),
        "box": FernetBox([KEY]),
        "git": FakeGit({GIT: {"Dockerfile": "FROM python:3.13-slim\nCOPY . .\n"}}),
        "files": HomeFiles(settings),
    }
    return Services(settings=settings, **{**given, **ports})


def make_worker_services(services: Services, name: str = "worker-1", **ports: Any) -> WorkerServices:
    """What a worker has: the same, and the parts behind it."""
    registry = FakeRegistry()
    engine = ports.get("engine") or FakeEngine(registry)
    prober = FakeProber(engine)
    given = {
        "engine": engine,
        "builder": FakeBuilder(engine),
        "registry": registry,
        "router": FakeRouter(prober),
        "prober": prober,
        "parts": FakeParts(),
        "random": Random(7),
        "host": "host-1",
        "lease": Lease(name, services.settings.lease, services.clock),
        "locks": FakeLocks(),
        "watch": Watch(),
        "shift": Shift(services.settings, services.clock),
    }
    shared = {field.name: getattr(services, field.name) for field in fields(Services)}
    return WorkerServices(**{**shared, **given, **ports})


@dataclass
class Stack:
    """Web and one worker over the same rows and fakes."""

    services: Services
    worker: WorkerServices

    def __getattr__(self, name: str) -> Any:
        """Its parts by name: ``stack.engine``, ``stack.router`` …"""
        return getattr(self.worker, name)

    def another_worker(self, name: str = "worker-2") -> WorkerServices:
        """A second worker process on the same host."""
        return replace(
            self.worker,
            lease=Lease(name, self.settings.lease, self.clock),
            watch=Watch(),
            shift=Shift(self.settings, self.clock),
        )

    def settle(self, worker: WorkerServices | None = None, **changes: Any) -> None:
        """Other settings from now on."""
        settings = self.settings.model_copy(update=changes)
        self.services = replace(self.services, settings=settings)
        self.worker = replace(worker or self.worker, settings=settings)

    def create(self, name: str = "hello", **facts: Any) -> None:
        """Declare an app."""
        apps.create(self.services, NewApp(name, **facts))

    def deploy(self, app: str = "hello", image: str | None = None, **facts: Any) -> DeploymentView:
        """Ask for a deployment: of an image, or of the repository."""
        source = facts.pop("source", {"image": image} if image else {"git": {"url": GIT}})
        return deployments.create(self.services, app, NewDeployment(source, Trigger.API, "test", **facts))

    def cancel(self, number: int, app: str = "hello") -> DeploymentView:
        """Ask for the end of a deployment."""
        return cancelling.cancel(self.services, app, number, "ann")

    def roll_back(self, release: int | None = None, app: str = "hello", **facts: Any) -> DeploymentView:
        """Go back to an older release."""
        return rollbacks.roll_back(self.services, app, NewRollback(Trigger.API, "ann", release, **facts))

    def reconfigure(self, config: dict[str, Any], app: str = "hello", **facts: Any) -> Any:
        """Change what belongs to a release."""
        new = NewDeployment(facts.pop("source", CURRENT), Trigger.API, "ann", config, **facts)
        return deployments.reconfigure(self.services, app, new)

    def plan(self, app: str = "hello", **facts: Any) -> PlanView:
        """What a change of configuration, or another source, would do."""
        source = facts.pop("source", CURRENT)
        return planning.show(self.services, app, NewDeployment(source, Trigger.API, "ann", **facts))

    def releases(self, app: str = "hello") -> dict[int, ReleaseView]:
        """The releases of an app, by number."""
        return {one.number: one for one in releases.show_all(self.services, app, limit=200, cursor=None).items}

    def events(self, number: int, app: str = "hello") -> list[str]:
        """What happened to a deployment, in order."""
        page = deployments.show_events(self.services, app, number, limit=200, cursor=None)
        return [event.kind for event in page.items]

    def show(self, number: int, app: str = "hello") -> DeploymentView:
        """A deployment as outsiders see it."""
        return deployments.show(self.services, app, number)

    def job(self, number: int, kind: str, app: str = "hello") -> Any:
        """One of its jobs."""
        return next(job for job in self.show(number, app).jobs if job.kind == kind)

    def log(self, number: int, app: str = "hello") -> str:
        """Its whole log."""
        seen = deployments.glance(self.services, app, number)
        return "\n".join(line.text for line in logs.read(self.services, seen.row_id, after=0, limit=1000))

    def ring(self, kind: str | None = None) -> int:
        """The id of the oldest job that was rung (of a kind), its message taken out."""
        wanted = [m for m in self.queue.messages if m.argument and kind in (None, m.task.removeprefix("longshore."))]
        self.queue.messages.remove(wanted[0])
        return int(wanted[0].argument)

    def drive(self, worker: WorkerServices | None = None) -> None:
        """Do what was rung until nothing is left."""
        for _ in range(1000):
            if not self.queue.messages:
                return
            self.do_next(worker or self.worker)
        raise AssertionError("the queue never becomes empty")

    def do_next(self, worker: WorkerServices) -> None:
        """Do what was rung first."""
        message = self.queue.take()
        assert message is not None, "nothing was rung"
        if message.task == runs.TASK:
            running.run(worker, int(message.argument))
        elif message.argument:
            jobs.run(worker, int(message.argument))
        else:
            PERIODIC[message.task](worker)

    def run_on(self, seconds: float) -> None:
        """Drive, with beats and sweeps, while time goes by."""
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            self.drive()
            self.clock.sleep(2)
            sweeps.beat(self.worker)
            sweeps.dispatch(self.worker)
            sweeps.reap(self.worker)
            with suppress(PartDownError):  # as a tick does: it is tried again
                sweeps.clean(self.worker)
        self.drive()
