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
from longshore.adapters.engine.network import LABEL_HOME, StackNetwork, router_address
from longshore.domain.names import part_labels
from longshore.domain.ports import Network
from longshore.errors import PlatformError, TransientError
from longshore.settings import Settings

LABEL_SHAPE = "longshore.shape"  # a mark of how it was made: a part made otherwise is made anew
ROUTER_CONFIG = "/etc/longshore"
ROUTER_SOCKETS = "/run/longshore"
ROUTER_PORT, REGISTRY_PORT = 8080, 5000


@dataclass(frozen=True)
class _Part:
    name: str
    image: str
    command: list[str] | None
    port: tuple[int, int]  # inside, outside (on loopback)
    binds: dict[str, str]
    on_network: bool
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
        network = self._network.again()
        if self._settings.registry is None:
            self._stand(self._registry(), network)
        self._stand(self._router(), network)

    def refuse_others(self) -> None:
        """``PlatformError`` when what runs under this name belongs to another home."""
        self._network.refuse_others()

    def _router(self) -> _Part:
        settings = self._settings
        return _Part(
            name="router",
            image=settings.router_image,
            command=[
                *("haproxy", "-W", "-db", "-f", f"{ROUTER_CONFIG}/haproxy.cfg"),
                *("-S", f"{ROUTER_SOCKETS}/master.sock,mode,600"),
            ],
            port=(ROUTER_PORT, settings.router_port),
            binds={
                str(settings.root / "router"): ROUTER_CONFIG,
                str(settings.sockets / "router"): ROUTER_SOCKETS,
            },
            on_network=True,
        )

    def _registry(self) -> _Part:
        settings = self._settings
        return _Part(
            name="registry",
            image=settings.registry_image,
            command=None,
            port=(REGISTRY_PORT, settings.registry_port),
            binds={str(settings.root / "registry"): "/var/lib/registry"},
            on_network=False,
            env={"REGISTRY_STORAGE_DELETE_ENABLED": "true"},
        )

    def _stand(self, part: _Part, network: Network) -> None:
        with translated():
            there = self._find(part)
            if there is not None and there["Config"]["Labels"].get(LABEL_SHAPE) != part.shape:
                self._connection.client.remove_container(there["Id"], force=True)
                there = None
            if there is None:
                self._create(part, network)
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

    def _create(self, part: _Part, network: Network) -> None:
        client = self._connection.client
        for folder in part.binds:
            Path(folder).mkdir(parents=True, exist_ok=True)
        try:
            client.create_container(
                image=part.image,
                name=self._container(part),
                command=part.command,
                user="root" if part.on_network else None,  # the router reads files that only root may read
                environment=part.env,
                labels={**self._labels(part), LABEL_SHAPE: part.shape},
                ports=[part.port[0]],
                host_config=_host_config(client, part),
                networking_config=_endpoint(client, network) if part.on_network else None,
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
        try:
            self._connection.client.start(self._container(part))
        except APIError as error:
            text = explanation(error)
            if "already allocated" in text or "already in use" in text:
                raise PlatformError(
                    f"port {part.port[1]} for the {part.name} is taken on this host",
                    code="port_taken",
                    hint=f"Choose another one: LONGSHORE_{part.name.upper()}_PORT.",
                ) from error
            raise TransientError(f"the {part.name} cannot be started: {text}", code="part_not_started") from error


def _host_config(client: docker.APIClient, part: _Part) -> Any:
    inside, outside = part.port
    return client.create_host_config(
        binds=[f"{source}:{target}" for source, target in part.binds.items()],
        port_bindings={inside: ("127.0.0.1", outside)},
        restart_policy={"Name": "unless-stopped"},
        security_opt=["no-new-privileges:true"],
        ulimits=[docker.types.Ulimit(name="nofile", soft=20_000, hard=20_000)],
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "10m", "max-file": "3"}),
    )


def _endpoint(client: docker.APIClient, network: Network) -> Any:
    endpoint = client.create_endpoint_config(ipv4_address=router_address(network))
    return client.create_networking_config({network.name: endpoint})  # type: ignore[arg-type]
