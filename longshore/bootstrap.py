"""The composition root: Settings → Services. The only place that joins services and adapters."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from random import Random

from longshore.adapters.builder import Ladder
from longshore.adapters.builder.limits import BuildLimits
from longshore.adapters.clock import SystemClock
from longshore.adapters.db import SqlDatabase
from longshore.adapters.engine import Connection, DockerEngine, DockerStackParts
from longshore.adapters.engine.images import Credentials
from longshore.adapters.engine.network import StackNetwork
from longshore.adapters.files import HomeFiles
from longshore.adapters.git import GitFetcher, GitRules
from longshore.adapters.probing import SocketProber
from longshore.adapters.queue import CeleryQueue
from longshore.adapters.registry import HttpRegistry
from longshore.adapters.router import HAProxyRouter
from longshore.adapters.secret_box import FernetBox, read_keys
from longshore.adapters.worker_locks import FileLocks
from longshore.services.context import Lease, Services, Watch, WorkerServices
from longshore.services.shift import Shift
from longshore.settings import Settings


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """What the web process and the operator's plain commands need: no way to the engine."""
    database = SqlDatabase(settings.database)
    try:
        yield Services(
            settings=settings,
            db=database,
            clock=SystemClock(),
            queue=CeleryQueue(settings),
            box=FernetBox(read_keys(settings)),
            git=GitFetcher(git_rules(settings)),
            files=HomeFiles(settings),
        )
    finally:
        database.close()


@contextmanager
def open_worker_services(settings: Settings) -> Iterator[WorkerServices]:
    """Everything a worker needs, under an identity that is random per process."""
    with open_services(settings) as services:
        connection = Connection(settings.docker_host)
        network = StackNetwork(connection, settings.stack, str(settings.root))
        yield WorkerServices(
            **{field.name: getattr(services, field.name) for field in fields(services)},
            engine=DockerEngine(connection, network, _credentials(settings)),
            builder=Ladder(connection, BuildLimits(connection, settings), settings.build_rung),
            registry=HttpRegistry(settings),
            router=_router(settings),
            prober=SocketProber(),
            parts=DockerStackParts(connection, network, settings),
            random=Random(),  # noqa: S311 - spreads retries, guards nothing
            host=socket.gethostname(),
            lease=Lease(secrets.token_hex(8), settings.lease, services.clock),
            locks=FileLocks(settings.root / "workers"),
            watch=Watch(),
            shift=Shift(settings, services.clock),
        )


def git_rules(settings: Settings) -> GitRules:
    """The rules for git sources."""
    return GitRules(
        allow_http=settings.git_allow_http,
        allow_git=settings.git_allow_git,
        allow_private=settings.git_allow_private,
        allow_local=settings.git_allow_local,
        timeout=settings.git_timeout,
    )


def _router(settings: Settings) -> HAProxyRouter:
    tls = (settings.tls_port, settings.certificate_folder) if settings.tls_port else None
    folder, sockets = settings.root / "router", settings.sockets / "router"
    return HAProxyRouter(folder, sockets, settings.router_port, str(settings.router_bind), tls)


def _credentials(settings: Settings) -> Credentials:
    password = settings.registry_password.get_secret_value() if settings.registry_password else None
    return Credentials((settings.registry or "").partition("/")[0], settings.registry_username, password)
