"""Every setting there is, typed, from ``LONGSHORE_*`` variables. ``.env.example`` shows the same list."""

import hashlib
import os
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65535)]

QUEUES = ("builds", "deploys", "periodic")
_QUEUE_NAMES = f"({'|'.join(QUEUES)})"

HAND_BACK_WITHIN = 10.0  # seconds after SIGTERM in which everything but builds and commands is handed back
GiB = 1024**3
MiB = 1024**2


class Settings(BaseSettings):
    """One frozen set of settings per process. Nothing is read before this is constructed."""

    model_config = SettingsConfigDict(env_prefix="LONGSHORE_", env_file=".env", extra="ignore", frozen=True)

    # The stack
    home: Path = Field(Path(".longshore"), description="State of the stack: database, keys, logs, uploads.")
    stack: Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$")] = Field(
        "longshore", description="Name of the stack; its containers carry it. Several stacks share a machine."
    )
    port: Port = Field(8000, description="API, on loopback.")
    bind: str = Field("127.0.0.1", description="Address the API listens on; put a TLS proxy before it.")
    flower_port: Port = Field(5555, description="Flower, on loopback.")
    router_port: Port = Field(8080, description="The router: apps answer here.")
    router_bind: IPv4Address = Field(
        IPv4Address("127.0.0.1"), description="Where the router listens; 0.0.0.0: everywhere."
    )
    tls_port: Port | None = Field(None, description="The router over TLS, with your certificates; default: off.")
    certificates: Path | None = Field(
        None,
        description="Folder of *.pem files (chain and key), chosen by host name; default: certificates in the home.",
    )
    registry_port: Port = Field(5001, description="The stack's own registry, on loopback.")

    # What it stands on
    database_url: SecretStr | None = Field(None, description="SQLAlchemy URL; default SQLite in the home.")
    redis_url: SecretStr | None = Field(None, description="Redis URL; default: a Redis of our own.")
    docker_host: str = Field("unix:///var/run/docker.sock", description="Where the container engine listens.")
    registry: str | None = Field(None, description="A registry of yours (host/prefix) instead of our own.")
    registry_username: str | None = Field(None, description="User name for that registry.")
    registry_password: SecretStr | None = Field(None, description="Password for that registry.")
    registry_insecure: bool = Field(False, description="Speak plain HTTP to that registry.")
    secret_keys: SecretStr | None = Field(
        None, description="Fernet keys, comma-separated, newest first; default: the file keys in the home."
    )

    # Images
    python_image: str = Field("python:3.13-slim", description="Base of Dockerfiles written for Python.")
    node_image: str = Field("node:20-slim", description="Base of Dockerfiles written for Node.")
    static_image: str = Field("nginx:1", description="Base of Dockerfiles written for static files.")
    router_image: str = Field("haproxy:3.0", description="Image of the router container.")
    registry_image: str = Field("registry:2", description="Image of the registry container.")

    # Sources
    upload_limit: int = Field(512 * MiB, gt=0, description="Bytes of one upload.")
    unpacked_limit: int = Field(2 * GiB, gt=0, description="Bytes an upload may unpack to.")
    members_limit: int = Field(50_000, gt=0, description="Files and folders in one upload.")
    git_allow_http: bool = Field(False, description="Allow http:// repositories.")
    git_allow_git: bool = Field(False, description="Allow git:// repositories.")
    git_allow_private: bool = Field(False, description="Allow repositories on private addresses.")
    git_allow_local: bool = Field(False, description="Allow repositories on this host's own disk.")
    git_timeout: float = Field(120, gt=0, description="Seconds a git host may take to answer and to send.")

    # Builds
    builds: int = Field(2, ge=1, le=64, description="Builds at a time on this host.")
    build_deadline: float = Field(1800, gt=0, description="Seconds one build may take.")
    build_silence: float = Field(600, gt=0, description="Seconds a build may print nothing.")
    build_cpus: float = Field(0, ge=0, description="Cores all builds together may use; 0: all but a quarter core.")
    build_memory: int = Field(0, ge=0, description="Bytes all builds together may use; 0: 3/4 of the host's.")
    build_cgroup_parent: str | None = Field(None, description="Limited cgroup for builds of an engine elsewhere.")
    build_rung: str = Field("auto", pattern="^(auto|engine-api|buildx|classic)$", description="How images are built.")

    # Work
    worker_slots: int = Field(16, ge=5, le=256, description="Jobs one worker process runs side by side.")
    worker_queues: Annotated[str, StringConstraints(pattern=f"^{_QUEUE_NAMES}(,{_QUEUE_NAMES})*$")] = Field(
        ",".join(QUEUES), description="Queues a worker takes jobs from, comma-separated."
    )
    web_threads: int = Field(32, ge=4, le=512, description="Requests answered side by side, open streams included.")
    lease: float = Field(10, ge=1, description="Seconds after which a worker that stands still counts as dead.")
    overdue: float = Field(3, ge=0.5, description="Seconds after which a job's message is sent again.")
    attempts: int = Field(5, ge=1, le=20, description="Attempts of a job that a passing fault stops.")
    crashes: int = Field(3, ge=1, le=20, description="Workers a job may take down before it counts as the cause.")
    shutdown_grace: float = Field(
        10, ge=0, description="Seconds a build or command may go on after its worker's SIGTERM."
    )
    deployment_deadline: float = Field(14400, gt=0, description="Seconds a deployment may take, its waits included.")
    push_deadline: float = Field(900, gt=0, description="Seconds one push may take.")
    deploy_deadline: float = Field(900, gt=0, description="Seconds pulling and starting may take.")
    transfer_silence: float = Field(300, gt=0, description="Seconds a push or a pull may bring no news.")
    drain_deadline: float = Field(900, gt=0, description="Seconds removing the losing side may take.")
    drain_limit: float = Field(30, ge=0, description="Seconds an old replica may finish its requests.")
    stop_grace: float = Field(10, ge=0, description="Seconds between SIGTERM and SIGKILL.")
    disk_floor: int = Field(2 * GiB, ge=0, description="Bytes that must be free before a build.")
    releases_kept: int = Field(10, ge=1, le=1000, description="Newest releases of an app whose images stay.")
    log_limit: int = Field(10 * MiB, gt=0, description="Bytes of log kept of one deployment.")

    @model_validator(mode="after")
    def _room_beside_builds(self) -> Self:
        """Pushes, starts and switches must never wait behind builds."""
        if self.worker_slots < self.builds + 4:
            raise ValueError(f"worker_slots must be at least {self.builds + 4}: four more than builds")
        return self

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues this process takes jobs from, when it is a worker."""
        return tuple(name for name in QUEUES if name in self.worker_queues.split(","))

    @cached_property
    def root(self) -> Path:
        """The home, absolute."""
        return Path(os.path.abspath(self.home))  # noqa: PTH100 - resolve() would follow a linked home

    @cached_property
    def sockets(self) -> Path:
        """A short folder for Unix sockets: a path over about 107 bytes cannot be bound.

        Its name tells stacks of one name with different homes apart.
        """
        mark = hashlib.sha256(str(self.root).encode()).hexdigest()[:8]
        base = Path("/run") if os.access("/run", os.W_OK) else Path("/tmp")  # noqa: S108 - made with mode 700
        return base / f"longshore-{self.stack}-{mark}"

    @property
    def certificate_folder(self) -> Path:
        """Where the operator's own certificates are."""
        return self.certificates or self.root / "certificates"

    @property
    def shutdown_limit(self) -> float:
        """Seconds after SIGTERM in which a worker has handed everything back."""
        return max(HAND_BACK_WITHIN, self.shutdown_grace)

    @property
    def database(self) -> str:
        """The database's URL. Shows its password: never print it."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.root / 'longshore.db'}"

    @property
    def redis(self) -> str:
        """The broker's URL. May show a password: never print it."""
        if self.redis_url:
            return self.redis_url.get_secret_value()
        return f"unix://{self.sockets / 'redis.sock'}"

    @property
    def image_prefix(self) -> str:
        """What image repositories are put behind."""
        return self.registry or f"127.0.0.1:{self.registry_port}"
