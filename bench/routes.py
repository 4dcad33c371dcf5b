"""Adding a route to many others, while an app is asked without a pause: how long it takes, and what is lost."""

import argparse
import http.client
import http.server
import secrets
import shutil
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection as Connected
from pathlib import Path
from typing import Any

from docker.errors import APIError

from longshore.adapters.engine import Connection, DockerStackParts
from longshore.adapters.engine.network import StackNetwork
from longshore.adapters.router import HAProxyRouter
from longshore.domain.names import LABEL_STACK
from longshore.domain.ports import AppRoute, RouteServer
from longshore.errors import PartDownError
from longshore.settings import Settings

HOST = "app0.localhost"


def main() -> None:
    """Start a router of its own, add routes one by one under load, print, remove it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routes", type=int, default=1000)
    parser.add_argument("--additions", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, standing(Path(home)) as (router, port), answering() as app:
        table = [route(number, app) for number in range(given.routes)]
        router.apply(lambda: table)
        with asking(port) as load:
            times = [added(router, table, app) for _ in range(given.additions)]
        asked, lost = load.recv()
    took = " ".join(f"{one * 1000:.0f}" for one in times)
    print(f"a route added to {given.routes} others: median {statistics.median(times) * 1000:.0f} ms ({took})")
    print(f"meanwhile {asked} requests over 8 kept connections, {lost} lost")


def added(router: HAProxyRouter, table: list[AppRoute], server: RouteServer) -> float:
    """One more, and what is seconds until the router is known to serve it."""
    table.append(route(len(table), server))
    began = time.monotonic()
    router.apply(lambda: table)
    return time.monotonic() - began


def route(number: int, server: RouteServer) -> AppRoute:
    """An app with one replica."""
    return AppRoute(f"app{number}", (f"app{number}.localhost",), "a", {"a": (server,), "b": ()})


class Load:
    """Requests without a pause, each of eight clients on a connection it keeps for as long as the router does."""

    def __init__(self, port: int) -> None:
        self._port, self._over = port, threading.Event()
        self._asked = self._lost = 0
        self._threads = [threading.Thread(target=self._ask) for _ in range(8)]
        for thread in self._threads:
            thread.start()

    def end(self) -> tuple[int, int]:
        """How many were asked, how many got no answer."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self._asked, self._lost

    def _ask(self) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._over.is_set():
            self._asked += 1
            try:
                line.request("GET", "/", headers={"host": HOST})
                answer = line.getresponse()
                self._lost += answer.read() != b"here"
            except (OSError, http.client.HTTPException):
                self._lost += 1
                line.close()
        line.close()


@contextmanager
def asking(port: int) -> Iterator[Connected]:
    """The load, in a process of its own; what it came to can be received at the end."""
    ours, theirs = Pipe()
    process = Process(target=ask, args=(port, theirs))
    process.start()
    ours.recv()
    yield ours
    ours.send("over")
    process.join()


def ask(port: int, line: Connected) -> None:
    """Ask until somebody says that it is over."""
    load = Load(port)
    line.send("begun")
    line.recv()
    line.send(load.end())


@contextmanager
def answering() -> Iterator[RouteServer]:
    """An app in a process of its own."""
    ours, theirs = Pipe()
    process = Process(target=answer, args=(theirs,), daemon=True)
    process.start()
    yield RouteServer("g1.web.1", "127.0.0.1", ours.recv())
    process.terminate()
    process.join()


def answer(line: Connected) -> None:
    """Answer at once, on a port of this host that is told."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # head and body in one packet

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"here")

        def log_message(self, *_: Any) -> None:
            return

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            return  # the router's own checks connect and leave without a word

    with Server(("127.0.0.1", 0), Handler) as server:
        line.send(server.server_port)
        server.serve_forever()


@contextmanager
def standing(home: Path) -> Iterator[tuple[HAProxyRouter, int]]:
    """A router of a stack of its own, removed at the end."""
    port = free_port()
    stack = f"bench{secrets.token_hex(3)}"
    settings = Settings(_env_file=None, home=home, stack=stack, router_port=port, registry="registry.invalid")
    connection = Connection(settings.docker_host)
    router = HAProxyRouter(settings.root / "router", settings.sockets / "router", port)
    (settings.sockets / "router").mkdir(parents=True)
    try:
        router.write(list)
        DockerStackParts(connection, StackNetwork(connection, stack, str(settings.root)), settings).ensure()
        wait_for(router)
        yield router, port
    finally:
        remove(connection, stack)
        shutil.rmtree(settings.sockets)


def wait_for(router: HAProxyRouter) -> None:
    """It takes a moment to start."""
    for _ in range(100):
        with suppress(PartDownError):
            return router.ping()
        time.sleep(0.1)
    return router.ping()


def remove(connection: Connection, stack: str) -> None:
    """What carries the label of this stack."""
    ours = {"label": f"{LABEL_STACK}={stack}"}
    for row in connection.client.containers(all=True, filters=ours):
        with suppress(APIError):
            connection.client.remove_container(row["Id"], force=True, v=True)
    for network in connection.client.networks(filters=ours):
        with suppress(APIError):
            connection.client.remove_network(network["Id"])


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
