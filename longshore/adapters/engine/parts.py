"""The stack's own containers: the router and the registry. What is there and right is left alone."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import LogConfig

from longshore.adapters.engine.connection import Connection, explanation, translated
from longshore.adapters.engine.network import LABEL_HOME, StackNetwork
from longshore.adapters.listening import is_taken
from longshore.domain.names import part_labels
from longshore.errors import PlatformError, TransientError
from longshore.settings import Settings

LABEL_SHAPE = "longshore.shape"  # a mark of how it was made: a part made otherwise is made anew
ROUTER_CONFIG = "/etc/longshore"
ROUTER_SOCKETS = "/run/longshore"
REGISTRY_PORT = 5000
HOST_NETWORK = "host"


@dataclass(frozen=True)
class _Part:
    name: str
    image: str
    command: list[str] | None
    listens: tuple[str, int]  # where it is reached on this host
    binds: dict[str, str]
    published: int | None = None  # the port inside; a part without one is in the host's own network
    user: str | None = None
    env: dict[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> str:
        return hashlib.sha256(json.dumps(self.__dict__, sort_keys=True).encode()).hexdigest()[:12]


class DockerStackParts:
    """Makes and starts the router and the registry of one stack."""

    def __init__(self, connection: Connection, network: StackNetwork, settings: Settings) -> None:
        self._connection = connection
        self._network = network
        self._settings = settings

    def ensure(self) -> None:
        """Network, registry and router exist and run."""
        self._network.again()
        if self._settings.registry is None:
            self._stand(self._registry())
        self._stand(self._router())

    def refuse_others(self) -> None:
        """``PlatformError`` when what runs under this name belongs to another home."""
        self._network.refuse_others()

    def _router(self) -> _Part:
        """In the host's network: a published port would be shut while the engine is away, and hide who asks."""
        settings = self._settings
        return _Part(
            name="router",
            image=settings.router_image,
            command=[
                *("haproxy", "-W", "-db", "-f", f"{ROUTER_CONFIG}/haproxy.cfg"),
                *("-S", f"{ROUTER_SOCKETS}/master.sock,mode,600"),
            ],
            listens=(str(settings.router_bind), settings.router_port),
            binds={
                str(settings.root / "router"): ROUTER_CONFIG,
                str(settings.sockets / "router"): ROUTER_SOCKETS,
            },
            user="root",  # it reads files that only root may read
        )

    def _registry(self) -> _Part:
        settings = self._settings
        return _Part(
            name="registry",
            image=settings.registry_image,
            command=None,
            listens=("127.0.0.1", settings.registry_port),
            binds={str(settings.root / "registry"): "/var/lib/registry"},
            published=REGISTRY_PORT,
            env={"REGISTRY_STORAGE_DELETE_ENABLED": "true"},
        )

    def _stand(self, part: _Part) -> None:
        with translated():
            there = self._find(part)
            if there is not None and there["Config"]["Labels"].get(LABEL_SHAPE) != part.shape:
                self._connection.client.remove_container(there["Id"], force=True)
                there = None
            if there is None:
                self._create(part)
            if there is None or not there["State"]["Running"]:
                self._start(part)

    def _container(self, part: _Part) -> str:
        return f"{self._settings.stack}.{part.name}"

    def _labels(self, part: _Part) -> dict[str, str]:
        return {**part_labels(self._settings.stack, part.name), LABEL_HOME: str(self._settings.root)}

    def _find(self, part: _Part) -> dict[str, Any] | None:
        """The container of this part; one of that name that is not ours is an error, and left alone."""
        name = self._container(part)
        try:
            facts: dict[str, Any] = self._connection.client.inspect_container(name)
        except NotFound:
            return None
        labels = facts["Config"]["Labels"] or {}
        if any(labels.get(key) != value for key, value in self._labels(part).items()):
            raise PlatformError(
                f"a container named {name} is there and belongs to somebody else",
                code="stack_taken",
                hint="Give this stack another name (LONGSHORE_STACK), or remove that container yourself.",
            )
        return facts

    def _create(self, part: _Part) -> None:
        client = self._connection.client
        for folder in part.binds:
            Path(folder).mkdir(parents=True, exist_ok=True)
        try:
            client.create_container(
                image=part.image,
                name=self._container(part),
                command=part.command,
                user=part.user,
                environment=part.env,
                labels={**self._labels(part), LABEL_SHAPE: part.shape},
                ports=[part.published] if part.published else None,
                host_config=_host_config(client, part),
            )
        except ImageNotFound as error:
            raise PlatformError(
                f"the image {part.image} for the {part.name} is not on this host",
                code="no_base_image",
                hint=f"`docker pull {part.image}`, or `tools/images {part.image}` where no hub can be reached.",
            ) from error
        except APIError as error:
            if error.status_code != 409:  # 409: another worker made it a moment ago
                raise

    def _start(self, part: _Part) -> None:
        if is_taken(*part.listens):
            self._refuse_unless_ours(part)
            return
        try:
            self._connection.client.start(self._container(part))
        except APIError as error:
            raise TransientError(
                f"the {part.name} cannot be started: {explanation(error)}", code="part_not_started"
            ) from error

    def _refuse_unless_ours(self, part: _Part) -> None:
        """Another worker, or an engine that came back, may have started it a moment ago."""
        there = self._find(part)
        if there is None or not there["State"]["Running"]:
            raise PlatformError(
                f"port {part.listens[1]} for the {part.name} is taken on this host",
                code="port_taken",
                hint=f"Choose another one: LONGSHORE_{part.name.upper()}_PORT.",
            )


def _host_config(client: docker.APIClient, part: _Part) -> Any:
    reached = {"port_bindings": {part.published: part.listens}} if part.published else {"network_mode": HOST_NETWORK}
    return client.create_host_config(
        binds=[f"{source}:{target}" for source, target in part.binds.items()],
        **reached,
        restart_policy={"Name": "unless-stopped"},
        security_opt=["no-new-privileges:true"],
        ulimits=[docker.types.Ulimit(name="nofile", soft=20_000, hard=20_000)],
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "10m", "max-file": "3"}),
    )
