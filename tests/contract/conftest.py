"""Real parts for contract tests, each test run with a stack of its own name; only what carries it is removed."""

import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from docker.errors import APIError
from postgres import Cluster

from longshore.adapters.db import SqlDatabase
from longshore.adapters.engine import Connection, DockerEngine, DockerStackParts
from longshore.adapters.engine.images import Credentials
from longshore.adapters.engine.network import StackNetwork
from longshore.adapters.schema import migrate
from longshore.domain.names import LABEL_STACK
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
