"""Apps outside any container for a real router to lead to, and the tables that lead there."""

import base64
import hashlib
import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from longshore.adapters.router import HAProxyRouter
from longshore.domain.ports import AppRoute, RouteServer
from longshore.domain.specs import HealthCheck
from longshore.errors import PartDownError

CHECK = HealthCheck()
HOST = "hello.localhost"


class Handler(http.server.BaseHTTPRequestHandler):
    """Says its name. ``/slow`` takes a second, ``/headers`` tells what it was sent, ``/silent`` leaves without an
    answer, ``/talk`` is a WebSocket as far as a router can tell."""

    protocol_version = "HTTP/1.1"
    server: "AppServer"

    def answer(self) -> None:
        """Any method."""
        self.server.got[self.command, self.path] += 1
        self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/silent":
            self.close_connection = True
            return
        if self.path == "/talk":
            self._talk()
            return
        if self.path == "/slow":
            time.sleep(1)
        self._send(json.dumps(dict(self.headers)) if self.path == "/headers" else self.server.name)

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the server's own names

    def _send(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def _talk(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accepted(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        while word := self.connection.recv(100):
            self.connection.sendall(word.upper())
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Silent."""


class AppServer(http.server.ThreadingHTTPServer):
    """The router's own checks connect and leave without a word: nothing to print."""

    daemon_threads = True

    def __init__(self, name: str, address: str) -> None:
        super().__init__((address, 0), Handler)
        self.name, self.got = name, Counter[tuple[str, str]]()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silent."""


def accepted(key: str) -> str:
    """The answer to a WebSocket's key; a router compares it."""
    magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1((key + magic).encode()).digest()).decode()


def table(
    servers: dict[str, RouteServer],
    live: str | None,
    a: Sequence[str] = ("old",),
    b: Sequence[str] = ("new",),
    leaving: Sequence[str] = (),
    **rules: Any,
) -> list[AppRoute]:
    """One app with servers in its two slots."""

    def named(names: Sequence[str]) -> tuple[RouteServer, ...]:
        return tuple(
            RouteServer(s.name, s.address, s.port, draining=name in leaving)
            for name, s in ((name, servers[name]) for name in names)
        )

    return [AppRoute("hello", (HOST,), live, {"a": named(a), "b": named(b)}, **rules)]


def alive(router: HAProxyRouter) -> bool:
    """Whether it answers."""
    try:
        router.ping()
    except PartDownError:
        return False
    return True


def until(condition: Any) -> None:
    """Wait a moment for something to happen."""
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def pid(router: HAProxyRouter) -> list[str]:
    """The process that serves: a reload makes another one."""
    return [line for line in router._runtime.ask("show info").splitlines() if line.startswith("Pid")]
