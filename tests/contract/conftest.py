"""Real parts for contract tests, each test run with a stack of its own name; only what carries it is removed."""

import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from docker.errors import APIError
from postgres import Cluster
from routed import HOST as APP_HOST
from routed import AppServer, alive, table, until

from longshore.adapters.db import SqlDatabase
from longshore.adapters.engine import Connection, DockerEngine, DockerStackParts
from longshore.adapters.engine.images import Credentials
from longshore.adapters.engine.network import StackNetwork
from longshore.adapters.router import HAProxyRouter
from longshore.adapters.schema import migrate
from longshore.domain.names import LABEL_STACK
from longshore.domain.ports import RouteServer
from longshore.settings import Settings

HOST = "unix:///var/run/docker.sock"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def connection() -> Iterator[Connection]:
    """The engine of this host."""
    ours = Connection(HOST)
    yield ours
    ours.client.close()


class Yard:
    """A stack of this run: its settings and its real parts."""

    def __init__(self, connection: Connection, home: Path) -> None:
        self.stack = f"t{secrets.token_hex(4)}"
        self.settings = Settings(
            _env_file=None,
            home=home,
            stack=self.stack,
            router_port=free_port(),
            registry_port=free_port(),
        )
        self.connection = connection
        self.network = StackNetwork(connection, self.stack, str(self.settings.root))
        self.engine = DockerEngine(connection, self.network, Credentials())
        self.parts = DockerStackParts(connection, self.network, self.settings)

    def remove(self) -> None:
        """Everything that carries this stack's label, and its folder of sockets."""
        client, ours = self.connection.client, {"label": f"{LABEL_STACK}={self.stack}"}
        for row in client.containers(all=True, filters=ours):
            with suppress(APIError):
                client.remove_container(row["Id"], force=True, v=True)
        for volume in client.volumes(filters=ours)["Volumes"] or []:
            with suppress(APIError):
                client.remove_volume(volume["Name"])
        for network in client.networks(filters=ours):
            with suppress(APIError):
                client.remove_network(network["Id"])
        for image in client.images(filters=ours):
            with suppress(APIError):
                client.remove_image(image["Id"], force=True)
        shutil.rmtree(self.settings.sockets, ignore_errors=True)


@pytest.fixture(scope="module")
def yard(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """One real stack for the tests of a file."""
    ours = Yard(connection, tmp_path_factory.mktemp("home"))
    (ours.settings.sockets / "router").mkdir(parents=True)
    try:
        yield ours
    finally:
        ours.remove()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """A PostgreSQL server of our own; makes empty databases and answers their URLs."""
    with Cluster() as cluster:
        yield cluster.make


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlDatabase]:
    """A database without a schema, of both kinds."""
    url = (
        f"sqlite:///{tmp_path / 'longshore.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres")()
    )
    database = SqlDatabase(url)
    yield database
    database.close()


@pytest.fixture
def database(empty: SqlDatabase) -> SqlDatabase:
    """A database with the schema; every fixture of a fake stack stands on it here."""
    migrate(empty)
    return empty


@pytest.fixture(scope="module")
def apps(yard: Yard) -> Iterator[dict[str, AppServer]]:
    """Two versions of an app on this host, where the router's network reaches them."""
    gateway = yard.network.ensure().reserved[0]
    made = {name: AppServer(name, gateway) for name in ("old", "new")}
    yield made
    for server in made.values():
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def servers(apps: dict[str, AppServer]) -> dict[str, RouteServer]:
    """The same as the router knows them."""
    return {
        name: RouteServer(f"g{number}.web.1", *app.server_address[:2])  # type: ignore[arg-type]
        for number, (name, app) in enumerate(apps.items(), 1)
    }


@pytest.fixture(scope="module")
def router(yard: Yard) -> Iterator[HAProxyRouter]:
    """A real router, made the way a stack makes it."""
    settings = yard.settings
    ours = HAProxyRouter(settings.root / "router", settings.sockets / "router", settings.router_port)
    ours.write(list)
    yard.parts.ensure()
    until(lambda: alive(ours))
    yield ours
    ours._client.close()


@pytest.fixture
def both(router: HAProxyRouter, servers: dict[str, RouteServer]) -> HAProxyRouter:
    """Both versions stand, the old one is live."""
    router.apply(lambda: table(servers, "a"))
    return router


@pytest.fixture
def client(yard: Yard) -> Iterator[httpx.Client]:
    """Asks by the way everybody comes. Each request has a connection of its own: one that was kept may be the last
    answer of an old process."""
    url = f"http://127.0.0.1:{yard.settings.router_port}"
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=url, headers={"host": APP_HOST}, trust_env=False, limits=limits) as client:
        yield client


@pytest.fixture
def ask(client: httpx.Client) -> Callable[..., httpx.Response]:
    """One request."""
    return lambda path="/", host=APP_HOST: client.get(path, headers={"host": host})
