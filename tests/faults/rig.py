"""A real stack whose processes are ours to kill, stop and start again one by one."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import trap
from faulty_queue import VARIABLE
from harness import REPOSITORY, Stack, until
from keeper import Kept
from postgres import Cluster
from sqlalchemy.orm import Session

from longshore.adapters import home
from longshore.adapters.db import SqlDatabase
from longshore.adapters.engine import Connection
from longshore.adapters.router.runtime import Runtime
from longshore.adapters.schema import migrate
from longshore.adapters.supervisor import Supervisor, redis_server
from longshore.bootstrap import open_services
from longshore.services import keys, tokens

HERE = Path(__file__).parent
SOURCES = [REPOSITORY, REPOSITORY / "api", REPOSITORY / "workers", HERE]
HOST = os.environ.get("LONGSHORE_DOCKER_HOST", "unix:///var/run/docker.sock")
SHORT = {"lease": 2, "overdue": 1, "stop_grace": 2, "drain_limit": 5, "git_allow_local": "true", "docker_host": HOST}
READY_WITHIN, TAKEN_WITHIN = 60.0, 30.0


class Rig(Stack):
    """Redis, web, beats and workers as processes of this one; what they do is watched point by point."""

    def __init__(
        self,
        *,
        workers: int = 2,
        beats: int = 1,
        env_of: Callable[["Rig", str], dict[str, str]] = lambda _rig, _name: {},
        disorder: bool = False,
        cluster: Cluster | None = None,
        **settings: object,
    ) -> None:
        super().__init__(**{**SHORT, **settings})
        path = os.pathsep.join(map(str, SOURCES))
        self.env |= {"PYTHONPATH": path, **({VARIABLE: "1"} if disorder else {})}
        self.workers = [f"worker{number}" for number in range(1, workers + 1)]
        self.beats = [f"beat{number}" for number in range(1, beats + 1)]
        self._env_of = env_of
        self.cluster = cluster  # the database server, where it is ours to restart
        self.processes: dict[str, Kept] = {}
        self.database = SqlDatabase(self.settings.database)
        self.connection = Connection(self.settings.docker_host)
        self.runtime = Runtime(self.settings.sockets / "router")
        self.faults = self.home / trap.FOLDER

    # The stack as a whole

    def up(self) -> None:
        """Start everything; returns when it is ready."""
        self._prepare()
        self._start("redis", [redis_server(), str(self.home / "redis" / "redis.conf")])
        for name in ("web", *self.workers, *self.beats):
            verb = {"w": "serve", "b": "beat"}[name[0]] if name == "web" or name in self.beats else "worker"
            self._start(name, [sys.executable, str(HERE / "launch.py"), verb, name])
        until(self.ready, READY_WITHIN, "the rig is ready")

    def ready(self) -> bool:
        """Whether all parts are there."""
        with suppress(httpx.HTTPError, ValueError, KeyError):
            return not self.readiness()
        return False

    def remove(self) -> None:
        """Kill what runs, and take away what is ours."""
        for process in self.processes.values():
            process.end()
        self.database.close()
        self.runtime = Runtime(Path("/nowhere"))
        super().remove()
        if self.connection._client is not None:
            self.connection.client.close()

    def keep_logs(self, folder: Path) -> None:
        """Copy what the processes wrote, and what was reached, to where it outlives the rig."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in [*(self.home / "logs").glob("*.log"), *self.faults.glob("*")]:
            shutil.copy(path, folder / path.name)

    def _prepare(self) -> None:
        home.prepare(self.settings)
        self.faults.mkdir()
        migrate(self.database)
        with open_services(self.settings) as services:
            keys.prove(services)
            home.keep_admin_token(self.settings, tokens.renew(services, "admin"))
        Supervisor(self.settings).write_config()

    def _start(self, name: str, argv: list[str]) -> None:
        self.processes[name] = Kept(name, argv, self.env | self._env_of(self, name), self.home / "logs")

    # Points

    def arm(self, names: Iterable[str], action: str) -> None:
        """The process that reaches one of these points first does that."""
        for name in (trap.TAKEN, trap.GO, trap.REACHED):
            (self.faults / name).unlink(missing_ok=True)
        written = self.faults / "arming"
        written.write_text(json.dumps({"points": list(names), "action": action}))
        written.rename(self.faults / trap.ARMED)

    def disarm(self) -> None:
        """Nothing happens any more; what is held goes on."""
        (self.faults / trap.ARMED).unlink(missing_ok=True)
        self.go()

    def go(self) -> None:
        """Whoever is held goes on."""
        (self.faults / trap.GO).touch()

    def taken(self) -> dict[str, Any] | None:
        """What was reached, by whom and when; nothing while nobody was there."""
        with suppress(FileNotFoundError):
            told = json.loads((self.faults / trap.TAKEN).read_text())
            return told if "pid" in told else None
        return None

    def caught(self) -> dict[str, Any]:
        """The same, waited for."""
        return until(self.taken, TAKEN_WITHIN, f"somebody reaches {(self.faults / trap.ARMED)}")

    def reached(self) -> list[dict[str, Any]]:
        """Every point since the last arming, in order."""
        with suppress(FileNotFoundError):
            return [json.loads(line) for line in (self.faults / trap.REACHED).read_text().splitlines()]
        return []

    # What is there

    @contextmanager
    def rows_of(self) -> Iterator[Session]:
        """The database, for reading, whichever it is."""
        with self.database.read() as session:
            yield session

    def process_of(self, pid: int) -> Kept | None:
        """Who has, or had, this pid in its present life."""
        return next((one for one in self.processes.values() if one.pid == pid), None)

    def repository(self, files: dict[str, str]) -> dict[str, Any]:
        """A git source on this host's disk with these files."""
        folder = self.folder / f"repository-{secrets.token_hex(3)}"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder)]
        for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
            subprocess.run([*git, *arguments], check=True)
        return {"git": {"url": f"file://{folder}"}}
