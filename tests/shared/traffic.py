"""Everything that can be under way in an app while it is redeployed, all the time, and what of it failed."""

import base64
import secrets
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import httpx
from harness import Stack, until

SLOW = 2.0  # seconds a slow request takes
UPLOAD = 20  # pieces of an upload, a tenth of a second apart

SERVER = """\
import base64, hashlib, os, struct, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.echo()
        if self.path == "/slow":
            time.sleep(SLOW)
        self.say(os.environ.get("VERSION", "0"))

    def do_POST(self):
        size = 0
        while (length := int(self.rfile.readline(), 16)):
            size += len(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        self.say(str(size))

    def say(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def echo(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while len(head := self.rfile.read(6)) == 6:
            size = head[1] & 127
            masked = self.rfile.read(size)
            text = bytes(byte ^ head[2 + place % 4] for place, byte in enumerate(masked))
            self.wfile.write(bytes([0x81, size]) + text)

    def log_message(self, *args):
        pass

class Server(ThreadingHTTPServer):
    request_queue_size = 128

Server(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
""".replace("SLOW", str(SLOW))


@dataclass
class Traffic:
    """What came back, by sort, and what failed."""

    answers: dict[str, list[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    lifetimes: list[float] = field(default_factory=list)  # seconds of WebSockets that were closed on us

    def note(self, sort: str, text: str) -> None:
        """Something was answered."""
        self.answers.setdefault(sort, []).append(text)


@contextmanager
def traffic(stack: Stack, app: str) -> Iterator[Traffic]:
    """Keep everything under way for as long as the block lasts; afterwards what had begun has ended."""
    seen, over = Traffic(), threading.Event()
    jobs = [_kept_alive, _kept_alive, _one_by_one, _slow, _slow, _upload, _websocket]
    threads = [threading.Thread(target=_repeat, args=(job, stack, app, seen, over)) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(seen.answers) == len(set(jobs)) or seen.failures, what="every sort of traffic flows")
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _repeat(job, stack: Stack, app: str, seen: Traffic, over: threading.Event) -> None:  # type: ignore[no-untyped-def]
    while not over.is_set():
        try:
            job(stack, app, seen, over)
        except (httpx.HTTPError, OSError, AssertionError) as error:
            seen.failures.append(f"{job.__name__.strip('_')}: {error!r}")


def _client(stack: Stack, app: str) -> httpx.Client:
    base = f"http://127.0.0.1:{stack.router_port}"
    return httpx.Client(base_url=base, headers={"host": f"{app}.localhost"}, timeout=15, trust_env=False)


def _get(client: httpx.Client, path: str, sort: str, seen: Traffic) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, f"{answer.status_code} {answer.text[:80]}"
    seen.note(sort, answer.text)


def _kept_alive(stack: Stack, app: str, seen: Traffic, over: threading.Event) -> None:
    with _client(stack, app) as client:
        while not over.wait(0.005):
            _get(client, "/", "kept alive", seen)


def _one_by_one(stack: Stack, app: str, seen: Traffic, over: threading.Event) -> None:
    with _client(stack, app) as client:
        _get(client, "/", "one by one", seen)
    over.wait(0.01)


def _slow(stack: Stack, app: str, seen: Traffic, over: threading.Event) -> None:
    with _client(stack, app) as client:
        _get(client, "/slow", "slow", seen)


def _upload(stack: Stack, app: str, seen: Traffic, over: threading.Event) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(UPLOAD):
            time.sleep(0.1)
            yield b"x" * 1000

    with _client(stack, app) as client:
        answer = client.post("/upload", content=pieces())
    assert (answer.status_code, answer.text) == (200, str(UPLOAD * 1000)), f"{answer.status_code} {answer.text[:80]}"
    seen.note("upload", answer.text)


def _websocket(stack: Stack, app: str, seen: Traffic, over: threading.Event) -> None:
    """Open until it is closed on us: how long that was is for the test to judge."""
    with socket.create_connection(("127.0.0.1", stack.router_port), timeout=15) as connection:
        _upgrade(connection, app)
        began = time.monotonic()
        while not over.wait(0.1):
            try:
                connection.sendall(_frame(b"still here"))
                echoed = connection.recv(100)
            except OSError:
                echoed = b""
            if not echoed:
                seen.lifetimes.append(time.monotonic() - began)
                return
            assert echoed[2:] == b"still here", echoed
            seen.note("websocket", "still here")
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _upgrade(connection: socket.socket, app: str) -> None:
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    lines = ("GET /ws HTTP/1.1", f"Host: {app}.localhost", "Upgrade: websocket", "Connection: Upgrade")
    more = (f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "")
    connection.sendall("\r\n".join((*lines, *more)).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = connection.recv(4096)
        assert piece, f"the upgrade was not answered: {answer!r}"
        answer += piece
    assert answer.startswith(b"HTTP/1.1 101"), answer[:80]


def _frame(text: bytes) -> bytes:
    mask = secrets.token_bytes(4)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(text))
    return struct.pack("BB", 0x81, 0x80 | len(text)) + mask + masked
