"""One trial: a new version of an app that is live, something done to us at a named point, then every check."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import projects
from catalogue import COMMAND, Named
from checker import Expected, check, saw_one_switch
from harness import Prober, docker, until
from rig import Rig
from sqlalchemy import select

from longshore.models import App, Deployment, Event, Job

ENDS_WITHIN = 60.0
SAYS_ITS_ENVIRONMENT = projects.web("").__getitem__("app.py").replace("body = ''", 'body = os.environ["TEXT"]')

_numbers = itertools.count(1)


@dataclass
class Trial:
    """An app of a rig, the version that is live, and how the next one is deployed."""

    rig: Rig
    replicas: int = 2
    app: str = ""
    live: str = ""
    image: str = ""

    def ready(self) -> None:
        """A live version of an app; a new app after a trial that went wrong."""
        if not self.app:
            app, text = f"f{next(_numbers)}", "first"
            view = self.rig.deployed(app, projects.web(text), replicas=self.replicas, **COMMAND)
            check(self.rig, Expected(app, view["number"], self.replicas))
            self.app, self.live = app, text

    def begin(self, source: str) -> tuple[dict[str, Any], str]:
        """Ask for a new version; its deployment and what it will answer."""
        text = f"version {next(_numbers)}"
        if source == "image":
            return self.rig.begin(self.app, {"image": self.image_that_says()}, env={"TEXT": text}), text
        files = projects.web(text)
        return self.rig.begin(self.app, self.rig.repository(files) if source == "git" else files), text

    @contextmanager
    def new_version(self, named: Named, action: str) -> Iterator[dict[str, Any]]:
        """Deploy, and have something happen at a point; the block is run there. Then wait, and check everything."""
        self.ready()
        app, before, self.app = self.app, self.live, ""
        with self._probed(app) as prober:
            self.rig.arm(named.names, action)
            self.app = app
            view, text = self.begin(named.source)
            self.app = ""
            told = self.rig.caught()
            began = time.monotonic()
            yield told
            told["view"] = view = self.rig.ended(view, ENDS_WITHIN)
            told["ended"] = time.monotonic() - began
            until(lambda: prober.answers[-1][1] == text, what="the new version answers")
        check(self.rig, Expected(app, view["number"], self.replicas))
        told["resumed"] = self._resumed(told)
        told["clean"] = time.monotonic() - began
        saw_one_switch(prober, before, text)
        self.app, self.live = app, text

    def newest(self) -> int:
        """The number of the app's newest deployment."""
        with self.rig.rows_of() as session:
            return session.scalars(select(App.deployments_made).where(App.name == self.app)).one()

    def all_ended(self) -> bool:
        """Whether no job is left to be done, of any app."""
        with self.rig.rows_of() as session:
            return session.scalar(select(Job.id).where(Job.ended_at.is_(None)).limit(1)) is None

    @contextmanager
    def _probed(self, app: str) -> Iterator[Prober]:
        try:
            with self.rig.probed(app, every=0.02) as prober:
                yield prober
        finally:
            self.rig.disarm()

    def image_that_says(self) -> str:
        """An image in the rig's registry, of a program that says what its environment tells it."""
        if not self.image:
            folder = self.rig.folder / "image"
            folder.mkdir()
            for name, text in projects.program(SAYS_ITS_ENVIRONMENT).items():
                (folder / name).write_text(text)
            self.image = f"{self.rig.registry}/faults/says:1"
            docker("build", "-q", "-t", self.image, str(folder))
            docker("push", "-q", self.image)
        return self.image

    def _resumed(self, told: dict[str, Any]) -> float | None:
        """Seconds from the fault to the next event of its job, or of what follows it; nothing after the last one."""
        view, kind = told["view"], told["name"].partition(":")[0]
        with self.rig.rows_of() as session:
            query = (
                select(Event)
                .join(Deployment, Event.deployment_id == Deployment.id)
                .join(App, Deployment.app_id == App.id)
                .where(App.name == view["app"], Deployment.number == view["number"])
                .order_by(Event.id)
            )
            later = [event for event in session.scalars(query) if event.at.timestamp() > told["at"]]
        mine = [event for event in later if event.facts.get("kind") == kind] or later
        return mine[0].at.timestamp() - told["at"] if mine else None


Note = Callable[[str, object], None]


def note(record: Note, fault: str, named: Named, database: str, told: dict[str, Any]) -> None:
    """A line of the table that is shown at the end: seconds from the fault until work went on, until it had ended, and
    until nothing was left to clean."""
    record("fault", [fault, str(named), database, told["resumed"], told["ended"], told["clean"]])
