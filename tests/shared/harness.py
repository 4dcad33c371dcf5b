"""A real stack of its own for tests: started by ``longshore up``, asked over HTTP, removed by its labels."""

import io
import itertools
import json
import os
import re
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import redis

from longshore.settings import Settings

REPOSITORY = Path(__file__).parents[2]
LABEL_STACK, LABEL_APP = "longshore.stack", "longshore.app"
UP_WITHIN, ENDS_WITHIN = 120.0, 90.0

Found = TypeVar("Found")
Files = Mapping[str, str]


def until(ask: Callable[[], Found], seconds: float = 20, what: str = "") -> Found:
    """The first answer that is true; the test fails when none comes in time."""
    end, pause = time.monotonic() + seconds, 0.02
    while True:
        found = ask()
        if found:
            return found
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds:g} s: {what or getattr(ask, '__name__', ask)}; last seen: {found!r}")
        time.sleep(pause)
        pause = min(pause * 1.3, 0.25)


def docker(*arguments: str, check: bool = True, host: str | None = None) -> str:
    """The answer of one docker command, of the host's engine unless another one is named."""
    argv = ["docker", *(["--host", host] if host else []), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert not check or done.returncode == 0, f"docker {arguments}: {done.stderr}"
    return done.stdout.strip()


def archive(files: Files | Path) -> bytes:
    """A folder, or files by name, as a gzipped tar."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
        if isinstance(files, Path):
            tar.add(files, arcname=".")
        else:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything it printed."""
        return self.out + self.err

    @property
    def json(self) -> Any:
        """Its standard output as one JSON document."""
        return json.loads(self.out)


@dataclass
class Prober:
    """Requests in a loop, in the background: what was answered, and what failed."""

    answers: list[tuple[int, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    course: list[bool] = field(default_factory=list)  # whether each went well, in their order

    def gaps(self) -> int:
        """How often it began to fail: failures with nothing good between them are one gap."""
        return sum(now < before for before, now in itertools.pairwise([True, *self.course]))

    def note(self, client: httpx.Client, url: str) -> None:
        """One request."""
        try:
            answer = client.get(url)
            problem = "" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:100]}"
        except httpx.HTTPError as error:
            problem = repr(error)
        if problem:
            self.failures.append(problem)
        else:
            self.answers.append((answer.status_code, answer.text.strip()))
        self.course.append(not problem)

    def bodies(self) -> set[str]:
        """The different texts that came back."""
        return {body for _, body in self.answers}


class Stack:
    """One stack: its own name, ports and home. Everything is asked for as a user would."""

    enter: tuple[str, ...] = ()  # what its commands are started with: a way into other namespaces

    def __init__(self, **settings: object) -> None:
        self.name = "t" + secrets.token_hex(3)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir="/tmp"))
        self.port, self.flower_port, self.router_port, self.registry_port = free_ports(4)
        given = {
            "home": self.folder / "home",
            "stack": self.name,
            "port": self.port,
            "flower_port": self.flower_port,
            "router_port": self.router_port,
            "registry_port": self.registry_port,
            "git_allow_http": "true",
            "git_allow_private": "true",
            "drain_limit": 5,
            "stop_grace": 2,
            "lease": 3,
            "overdue": 1,
            **settings,
        }
        clean = {key: value for key, value in os.environ.items() if not key.startswith("LONGSHORE_")}
        self.env = clean | {f"LONGSHORE_{key.upper()}": str(value) for key, value in given.items()}
        self.settings = Settings(_env_file=None, **given)
        self.home = self.settings.root
        self.registry = f"127.0.0.1:{self.registry_port}"

    # Where it stands

    def docker(self, *arguments: str, check: bool = True) -> str:
        """The answer of one docker command, of the engine it stands on."""
        return docker(*arguments, check=check)

    def transport(self) -> httpx.BaseTransport:
        """How its ports are reached; the environment's proxies have no say."""
        return httpx.HTTPTransport(trust_env=False)

    # The stack as a whole

    def cli(self, *arguments: str, timeout: float = 120, cwd: Path | None = None) -> Ran:
        """Run ``longshore …``; how it ended."""
        argv = [*self.enter, sys.executable, "-m", "longshore", *arguments]
        done = subprocess.run(
            argv, cwd=cwd or self.folder, env=self.env, capture_output=True, text=True, check=False, timeout=timeout
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def up(self) -> Ran:
        """``longshore up --detach``; it must end ready."""
        ran = self.cli("up", "--detach", timeout=UP_WITHIN)
        assert ran.code == 0, f"{ran.said}\n{self.last_words()}"
        return ran

    def last_words(self) -> str:
        """The ends of all logs, for a failure nobody understands otherwise."""
        logs = sorted((self.home / "logs").glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    def remove(self) -> None:
        """Stop it, and take away what carries its label or lies in its folders; nothing else."""
        self.__dict__.pop("api", None)
        self.cli("down")
        mine = f"label={LABEL_STACK}={self.name}"
        removals = {
            "container": self.docker("ps", "-aq", "--filter", mine).split(),
            "network": self.docker("network", "ls", "-q", "--filter", mine).split(),
            "image": self._images(),
            "volume": self.docker("volume", "ls", "-q", "--filter", mine).split(),
        }
        for kind, names in removals.items():
            if names:
                force = ["--force"] if kind != "network" else []
                volumes = ["--volumes"] if kind == "container" else []
                self.docker(kind, "rm", *force, *volumes, *names, check=False)
        shutil.rmtree(self.settings.sockets, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _images(self) -> list[str]:
        """Its images by the names that are its own (an id may be somebody else's too), and those that lost theirs."""
        shown = '{{.Repository}}{{if eq .Tag "<none>"}}@{{.Digest}}{{else}}:{{.Tag}}{{end}}'
        named = [
            self.docker("images", "--digests", "--format", shown, f"{self.registry}/{depth}") for depth in ("*", "*/*")
        ]
        lost = ["--filter", f"label={LABEL_STACK}={self.name}", "--filter", "dangling=true"]
        return " ".join(named).split() + self.docker("images", "-q", *lost).split()

    # Its API

    @cached_property
    def token(self) -> str:
        """The admin token that ``up`` made."""
        return (self.home / "admin-token").read_text().strip()

    @property
    def api(self) -> httpx.Client:
        """The API, as admin. A client per use: none is left open, and none outlives a restart of the stack."""
        return self.client(self.token)

    def client(self, token: str | None) -> httpx.Client:
        """The API with a token, or without any."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        base = f"http://127.0.0.1:{self.port}"
        return httpx.Client(base_url=base, headers=headers, timeout=30, transport=self.transport())

    def ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """One request as admin."""
        with self.api as api:
            return api.request(method, path, **content)

    def view(self, path: str) -> Any:
        """What a GET shows."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def make(self, app: str) -> None:
        """Declare an app unless it is there."""
        assert self.ask("POST", "/v1/apps", json={"name": app}).status_code in (201, 409)

    def send(self, app: str, source: bytes | Files | Path | dict[str, Any], **config: Any) -> httpx.Response:
        """Ask for a deployment of an app that is there, of an upload or of ``{"git" | "image" | "release": …}``."""
        path = f"/v1/apps/{app}/deployments"
        if isinstance(source, dict) and source.keys() & {"git", "image", "release"}:
            body = {"config": config, **(source if "release" in source else {"source": source})}
            return self.ask("POST", path, json=body)
        content = source if isinstance(source, bytes) else archive(source)
        files = {"source": (f"{app}.tar.gz", content, "application/gzip")}
        return self.ask("POST", path, files=files, data={"spec": json.dumps({"config": config})})

    def begin(self, app: str, source: Any, **config: Any) -> dict[str, Any]:
        """A deployment that was accepted; the app is made when it is missing."""
        self.make(app)
        answer = self.send(app, source, **config)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def deploy(self, app: str, source: Any, **config: Any) -> dict[str, Any]:
        """Deploy and wait for the end, whichever it is."""
        return self.ended(self.begin(app, source, **config))

    def deployed(self, app: str, source: Any, **config: Any) -> dict[str, Any]:
        """Deploy; it must succeed."""
        view = self.deploy(app, source, **config)
        assert view["state"] == "succeeded", f"{view['error']}\n{self.log(view)[-3000:]}"
        return view

    def cancel(self, view: dict[str, Any]) -> dict[str, Any]:
        """Ask for the end of a deployment; what that comes to."""
        answer = self.ask("POST", f"/v1/apps/{view['app']}/deployments/{view['number']}/cancel")
        assert answer.status_code == 202, answer.text
        return dict(answer.json()["cancel"])

    def reached(self, view: dict[str, Any], phase: str) -> None:
        """Wait until a deployment is busy with something."""
        until(lambda: self.show(view)["phase"] == phase, 30, f"{view['id']} {phase}")

    def show(self, view: dict[str, Any]) -> dict[str, Any]:
        """A deployment as it is now."""
        return dict(self.view(f"/v1/apps/{view['app']}/deployments/{view['number']}"))

    def ended(self, view: dict[str, Any], within: float = ENDS_WITHIN) -> dict[str, Any]:
        """The deployment when it, and the last of its jobs, has ended."""

        def over() -> dict[str, Any] | None:
            now = self.show(view)
            return now if now["ended_at"] and all(job["ended_at"] for job in now["jobs"]) else None

        try:
            return until(over, within, f"the end of {view['id']}")
        except pytest.fail.Exception as error:
            pytest.fail(f"{error}\n{self.show(view)}\n{self.log(view)[-2000:]}\n{self.last_words()}")

    def log(self, view: dict[str, Any]) -> str:
        """The whole log of a deployment."""
        path = f"/v1/apps/{view['app']}/deployments/{view['number']}/logs"
        return self.ask("GET", path, headers={"accept": "text/plain"}).text

    def readiness(self) -> dict[str, Any]:
        """What is down, by name, with its problem."""
        with self.client(None) as client:
            parts = client.get("/readyz").json()["parts"]
        return {part["name"]: part["problem"] for part in parts if not part["ok"]}

    def delete(self, app: str) -> None:
        """Delete an app and wait until its name is free."""
        until(lambda: self.ask("DELETE", f"/v1/apps/{app}").status_code != 409 or None, what=f"{app} at rest")
        until(lambda: self.ask("GET", f"/v1/apps/{app}").status_code == 404, what=f"{app} gone")

    # What is really there

    def get(self, host: str, path: str = "/") -> httpx.Response:
        """One request through the router, as a browser would send it."""
        url = f"http://127.0.0.1:{self.router_port}{path}"
        with httpx.Client(transport=self.transport(), timeout=10) as client:
            return client.get(url, headers={"host": host})

    def text(self, app: str, path: str = "/") -> str:
        """What an app answers on its own host name; it must be a 200."""
        answer = self.get(f"{app}.localhost", path)
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text[:300]}"
        return answer.text.strip()

    def answers(self, app: str) -> str | None:
        """The same, or nothing: for waiting."""
        try:
            answer = self.get(f"{app}.localhost")
        except httpx.TransportError:
            return None
        return answer.text.strip() if answer.status_code == 200 else None

    def containers(self, app: str) -> list[str]:
        """The names of an app's containers, running or not."""
        return sorted(one["Names"] for one in self.ps(app))

    def ps(self, app: str) -> list[dict[str, Any]]:
        """``docker ps -a`` of an app."""
        wanted = [f"label={LABEL_STACK}={self.name}", f"label={LABEL_APP}={app}"]
        filters = [word for label in wanted for word in ("--filter", label)]
        lines = self.docker("ps", "-a", "--no-trunc", "--format", "{{json .}}", *filters).splitlines()
        return [json.loads(line) for line in lines]

    def router(self, command: str) -> str:
        """The router's answer on its admin socket."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(10)
            admin.connect(str(self.settings.sockets / "router" / "admin.sock"))
            admin.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: admin.recv(65536), b"")).decode()

    def rows(self, query: str, *values: object) -> list[Any]:
        """Rows of the database, read only."""
        with closing(sqlite3.connect(f"file:{self.home}/longshore.db?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()

    @contextmanager
    def redis(self) -> Iterator[redis.Redis]:
        """A connection to the stack's Redis."""
        with redis.Redis(unix_socket_path=str(self.settings.sockets / "redis.sock")) as connection:
            yield connection

    def flower(self, path: str, password: str | None = None) -> httpx.Response:
        """Flower's API, as its user unless another password is given."""
        known = (self.home / "flower-password").read_text().strip()
        auth = ("admin", known if password is None else password) if password != "" else None
        return httpx.get(f"http://127.0.0.1:{self.flower_port}{path}", auth=auth, timeout=20, trust_env=False)

    def tasks(self, label: str) -> dict[str, dict[str, Any]]:
        """What Flower shows of a deployment: task name → task."""
        found = self.flower("/api/tasks", None).json().values()
        return {one["name"]: one for one in found if label in str(one["args"])}

    def pid(self, program: str) -> int | None:
        """The process under the supervisor whose command line has a word."""
        supervisor = (self.home / "supervisord.pid").read_text().strip()
        for child in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
            try:
                if re.search(program, Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")):
                    return int(child)
            except OSError:
                continue
        return None

    @contextmanager
    def probed(self, app: str, *, threads: int = 1, every: float = 0.05) -> Iterator[Prober]:
        """Requests to an app for as long as the block lasts."""
        prober, stop = Prober(), threading.Event()
        url, headers = f"http://127.0.0.1:{self.router_port}/", {"host": f"{app}.localhost"}

        def ask() -> None:
            with httpx.Client(headers=headers, timeout=10, transport=self.transport()) as client:
                while not stop.wait(every):
                    prober.note(client, url)

        running = [threading.Thread(target=ask) for _ in range(threads)]
        for thread in running:
            thread.start()
        try:
            until(lambda: len(prober.answers) >= threads, what="first answers")
            yield prober
        finally:
            stop.set()
            for thread in running:
                thread.join()
