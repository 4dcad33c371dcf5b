"""The ports: what services ask of the world outside, and the facts they trade with it.

Adapters implement these; ``longshore.testing`` ships fakes that are held to the same contract tests. Every method
may raise ``PartDownError`` when its part does not answer; other errors are named where they belong.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from longshore.domain.specs import HealthCheck, Resources, Routing
from longshore.domain.tree import SourceTree

OnLine = Callable[[str], None]
Stopped = Callable[[], bool]


class Clock(Protocol):
    """Time, so that tests can hold it."""

    def now(self) -> datetime:
        """The instant, timezone-aware, in UTC. For people to read; never for leases."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let this thread rest."""
        ...


class SecretBox(Protocol):
    """Encryption at rest."""

    def seal(self, values: Mapping[str, str]) -> bytes:
        """Encrypt a set of named values with the newest key."""
        ...

    def open(self, sealed: bytes) -> dict[str, str]:
        """Decrypt; ``PlatformError`` when none of the keys fits."""
        ...

    def mark(self, text: str) -> str:
        """A digest that tells equal texts from others, and that nobody can guess texts by without the key."""
        ...


class Queue(Protocol):
    """The doorbell: a message carries a task name and one id, and may be lost or doubled without harm."""

    def send(self, task: str, argument: str, *, label: str, queue: str) -> None:
        """Ring; ``PartDownError`` when the broker does not answer within about two seconds."""
        ...

    def ping(self) -> None:
        """Raise ``PartDownError`` unless the broker answers."""
        ...


@dataclass(frozen=True)
class ImageFacts:
    """An image the engine has: its id, the ports it exposes, ``repository@digest`` where it came from."""

    id: str
    ports: tuple[int, ...] = ()
    repo_digests: tuple[str, ...] = ()


@dataclass(frozen=True)
class EngineVolume:
    """A named volume of the engine."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class ContainerSpec:
    """A replica to be started. Its name is the mutex: the engine holds one container of a name."""

    name: str
    image_id: str
    labels: Mapping[str, str]
    network: str
    address: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    command: Sequence[str] | None = None
    resources: Resources = field(default_factory=Resources)
    capabilities: str = "default"
    read_only: bool = False
    volumes: Mapping[str, EngineVolume] = field(default_factory=dict)  # by their path in the container


@dataclass(frozen=True)
class Container:
    """A container as the engine sees it now."""

    id: str
    name: str
    image_id: str
    labels: Mapping[str, str]
    running: bool
    address: str | None
    exit_code: int
    out_of_memory: bool
    restarts: int
    error: str = ""
    interrupted: bool = False  # it ended because the engine did, not by its own doing


@dataclass(frozen=True)
class Ending:
    """How a command that runs once has ended."""

    exit_code: int
    out_of_memory: bool = False


@dataclass(frozen=True)
class Listener:
    """A TCP port that is listened on inside a container."""

    port: int
    loopback_only: bool


@dataclass(frozen=True)
class Executed:
    """A command that was run inside a container. Without a code ``problem`` says why; ``output`` is its last."""

    exit_code: int | None
    output: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Network:
    """The stack's network. ``reserved`` addresses are never given to replicas."""

    name: str
    subnet: str
    reserved: tuple[str, ...]


@dataclass(frozen=True)
class EngineFacts:
    """What ``doctor`` tells of the engine."""

    version: str
    storage: str
    local: bool
    root: Path


class Engine(Protocol):
    """The container engine: only workers and the operator's own commands hold one."""

    def facts(self) -> EngineFacts:
        """What the engine says of itself."""
        ...

    def network(self) -> Network:
        """The stack's network, made when it is missing."""
        ...

    def find_image(self, reference: str) -> ImageFacts | None:
        """An image that is on the host, by id or reference."""
        ...

    def image_ids(self) -> frozenset[str]:
        """The ids of all images that are on the host. One call, however many there are."""
        ...

    def pull(self, reference: str, on_line: OnLine, stopped: Stopped) -> ImageFacts:
        """Pull; ``AppError`` when there is no such image or the registry refuses us."""
        ...

    def push(self, image_id: str, reference: str, on_line: OnLine, stopped: Stopped) -> str:
        """Tag and push; the digest (``sha256:…``) the registry reported."""
        ...

    def forget_image(self, reference: str) -> None:
        """Take a tag away, and the image with it when nothing else names or uses it. No error when it is not there.

        By id: only an image that no tag and no container holds.
        """
        ...

    def start(self, spec: ContainerSpec) -> Container:
        """Create and start. A container of that name and those labels is adopted; another one is an error."""
        ...

    def run_once(self, spec: ContainerSpec, grace: float, on_line: OnLine, stopped: Stopped) -> Ending | None:
        """Create, start, tell its lines until it has ended, and remove it; ``None`` when it was stopped first.

        It is removed whatever happens, as long as the engine answers; a container of that name that is there
        already is never touched (``TransientError``). A line without end comes in pieces.
        """
        ...

    def find(self, name: str) -> Container | None:
        """One container, running or not."""
        ...

    def containers(self, labels: Mapping[str, str]) -> list[Container]:
        """All containers with these labels, running or not, oldest first."""
        ...

    def keep_running(self, name: str) -> None:
        """From now on the engine restarts it when it dies, and when the engine itself comes back."""
        ...

    def resume(self, name: str) -> None:
        """Start a container that was stopped."""
        ...

    def stop(self, name: str, grace: float) -> None:
        """SIGTERM, then SIGKILL after ``grace`` seconds. No error when it is not there."""
        ...

    def remove(self, name: str) -> None:
        """Remove, running or not. No error when it is not there."""
        ...

    def ensure_volume(self, volume: EngineVolume) -> None:
        """Made, or there already; ``PlatformError`` when the name is taken by one without these labels."""
        ...

    def remove_volume(self, volume: EngineVolume) -> None:
        """Remove it with all that is in it. No error when it is not there; ``TransientError`` while a container has it.

        ``PlatformError`` for one without these labels, which is left alone.
        """
        ...

    def volumes(self, labels: Mapping[str, str]) -> list[EngineVolume]:
        """All volumes with these labels, in the order of their names."""
        ...

    def output(self, name: str, tail: int) -> list[str]:
        """The last lines a container wrote, standard output and standard error together."""
        ...

    def listeners(self, name: str) -> list[Listener]:
        """The TCP ports listened on inside a running container."""
        ...

    def execute(self, name: str, command: Sequence[str], timeout: float) -> Executed:
        """Run a command inside a running container, without a shell, for at most ``timeout`` seconds.

        No error when the container does not run, or has no such command: the answer says so.
        """
        ...


@dataclass(frozen=True)
class BuildRequest:
    """An image to be built from a clean context (a tar in GNU format)."""

    context: Path
    dockerfile: str
    tag: str
    labels: Mapping[str, str]
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict, repr=False)
    frontend: bool = False  # whether its Dockerfile has a `# syntax=` line


@dataclass(frozen=True)
class BuildStepSeen:
    """News of one Dockerfile step. ``key`` stays the same over all news of a step."""

    key: str
    name: str
    cached: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True)
class BuildLine:
    """A line that a step printed."""

    text: str
    step: str | None = None


BuildNews = BuildStepSeen | BuildLine


class Builder(Protocol):
    """Makes images; closing the stream of news cancels the build."""

    @property
    def rung(self) -> str:
        """Which way of building is used: ``engine-api``, ``buildx`` or ``classic``."""
        ...

    def limits(self) -> str:
        """How much all builds together may use; ``PlatformError`` when that cannot be limited here."""
        ...

    def build(self, request: BuildRequest) -> AbstractContextManager[Iterator[BuildNews | None]]:
        """A stream of news; ``None`` about every quarter second when nothing happens.

        Ends when the image is made: then it can be found under its tag. ``AppError`` when a step fails.
        """
        ...


@dataclass(frozen=True)
class RouteServer:
    """A replica as the router knows it. A draining one keeps its sessions and gets no new request."""

    name: str
    address: str
    port: int
    draining: bool = False


@dataclass(frozen=True)
class AppRoute:
    """Host names → the live slot, and what stands in each of the two slots.

    ``share``: how many in a thousand requests go to the slot that is not live. ``maintenance``: what is answered
    instead of the app. ``max_rps``: requests a second before others are refused.
    """

    app: str
    domains: tuple[str, ...]
    live: str | None
    servers: Mapping[str, tuple[RouteServer, ...]]
    share: int = 0
    routing: Routing = field(default_factory=Routing)
    max_rps: float | None = None
    maintenance: str | None = None


RoutingTable = Sequence[AppRoute]


@dataclass(frozen=True)
class Answer:
    """What came back from a probe. Without an answer ``status`` is ``None`` and ``problem`` says why."""

    status: int | None
    body: str = ""
    problem: str = ""
    served_by: str = ""

    def refused(self) -> bool:
        """Whether nothing listens there (yet)."""
        return self.problem == "connection refused"


@dataclass(frozen=True)
class Counters:
    """What a slot was asked and what came of it. ``seconds``: the mean time of its recent answers."""

    requests: int
    errors: int  # answers of 500 and above, the router's own for it included
    seconds: float


class Router(Protocol):
    """The one in front of all apps."""

    def apply(self, desired: Callable[[], RoutingTable]) -> None:
        """Make the router serve exactly ``desired``, read under the router lock: file, Runtime API, compare."""
        ...

    def write(self, desired: Callable[[], RoutingTable]) -> None:
        """Only write down what a router that starts now will serve."""
        ...

    def probe(self, slot: str | None, host: str, check: HealthCheck) -> Answer:
        """One request through the router; to ``slot`` whether or not it is live, to the live one for ``None``.

        ``served_by`` is ``<app>_<slot>/<server>``.
        """
        ...

    def sessions(self, app: str, slot: str, server: str) -> int:
        """Requests and connections that stand on a server, in router processes before a reload too."""
        ...

    def certificates(self) -> Mapping[str, str | None]:
        """The operator's own certificates: file → why it is left out, or ``None``."""
        ...

    def counters(self) -> Mapping[tuple[str, str], Counters]:
        """(app, slot) → what it was asked, our own probes included, in one look at all apps.

        Counted by the router process of now: a reload, or a restart, sets all to nought. Compare two looks, and take
        one that is smaller than the one before for a new beginning.
        """
        ...

    def ping(self) -> None:
        """Raise ``PartDownError`` unless the router answers."""
        ...


class Prober(Protocol):
    """Asks a replica directly, from outside its container."""

    def probe(self, address: str, port: int, check: HealthCheck, host: str) -> Answer:
        """One execution of a health check; never raises, follows no redirect, reads at most 64 KB."""
        ...


class Registry(Protocol):
    """Where images are pushed."""

    @property
    def prefix(self) -> str:
        """What a repository name is put behind, such as ``127.0.0.1:5001``."""
        ...

    def digest(self, repository: str, version: str) -> str | None:
        """The manifest's digest, by HEAD; ``None`` when it is not there."""
        ...

    def ping(self) -> None:
        """Raise ``PartDownError`` unless the registry answers."""
        ...


class GitFetch(Protocol):
    """Fetches repositories under the rules of the settings."""

    def check(self, url: str, ref: str | None) -> None:
        """Refuse, at once and off line, what no fetch would be tried for."""
        ...

    def fetch(self, url: str, ref: str | None, into: Path, *, on_line: OnLine, stopped: Stopped) -> str:
        """A checkout without ``.git`` in the new folder ``into``; the commit."""
        ...


class SourceFiles(Protocol):
    """Uploads, build folders, and the tars in them. All input is hostile."""

    def accept(self, upload: Path) -> str:
        """Rewrite an uploaded archive member by member; the id it is kept under."""
        ...

    def forget(self, upload_id: str) -> None:
        """Remove an upload. No error when it is not there."""
        ...

    def uploads(self) -> list[tuple[str, float]]:
        """All uploads kept, and for how many seconds this process has seen them: no clock can make one look old."""
        ...

    def upload(self, upload_id: str) -> Path:
        """The clean tar of an upload; ``PlatformError`` when it is gone."""
        ...

    def build_folder(self, name: str) -> AbstractContextManager[Path]:
        """A new empty folder, removed at the end whatever happens."""
        ...

    def build_folders(self) -> list[str]:
        """The names of all build folders there are."""
        ...

    def forget_build(self, name: str) -> None:
        """Remove what a killed build left. No error when it is not there."""
        ...

    def pack(self, folder: Path, into: Path) -> None:
        """A checkout as a clean tar."""
        ...

    def tree(self, tar: Path, below: str) -> SourceTree:
        """The files of a clean tar that lie below a folder."""
        ...

    def context(self, tar: Path, into: Path, *, below: str, dockerfile: str, replace: Mapping[str, bytes]) -> None:
        """The build context below a folder, ``.dockerignore`` honoured, with some files added or replaced."""
        ...

    def free_bytes(self) -> int:
        """Free space where builds and uploads are kept."""
        ...


class WorkerLocks(Protocol):
    """Which worker processes of this home live: each holds a lock that the kernel lets go when it dies."""

    def hold(self, worker_id: str) -> None:
        """Hold the lock of this process until it ends."""
        ...

    def abandoned(self) -> set[str]:
        """The ids of processes that are gone without having said goodbye."""
        ...

    def forget(self, worker_ids: Iterable[str]) -> None:
        """Their jobs are taken over (or there were none): they need not be looked at again."""
        ...


class StackParts(Protocol):
    """The stack's own containers."""

    def ensure(self) -> None:
        """Network, registry and router exist and run; what is there and right is left alone."""
        ...

    def refuse_others(self) -> None:
        """``PlatformError`` when what runs under the stack's name belongs to another home."""
        ...
