"""Following a container to its end: its lines as they come, from a thread that may wait for them."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError

from longshore.domain.ports import OnLine, Stopped

LOOK_EVERY = 0.1  # seconds between two questions whether to stop, while nothing is printed
LINE_LIMIT = 16 * 1024  # bytes: what is longer comes in pieces
WAITING = 256  # pieces that wait to be told: who prints faster than that is read more slowly

_CUT = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, APIError, OSError, ValueError)


def follow(client: docker.APIClient, container_id: str, on_line: OnLine, stopped: Stopped) -> bool:
    """Tell each line until the output has ended; ``False`` when stopped first. Whether it ran to its end is for the
    caller to see: an engine that goes away ends the output, too."""
    output: Any = client.logs(container_id, stdout=True, stderr=True, stream=True, follow=True)
    pieces: queue.Queue[bytes | None] = queue.Queue(WAITING)
    over = threading.Event()
    reader = threading.Thread(target=_read, args=(output, pieces, over), name="one-off", daemon=True)
    reader.start()
    try:
        for line in lines(_until_stopped(pieces, stopped, over)):
            on_line(line)
        return not over.is_set()
    finally:
        over.set()
        with suppress(*_CUT):
            output.close()
        reader.join(timeout=5)


def _read(output: Iterable[bytes], pieces: "queue.Queue[bytes | None]", over: threading.Event) -> None:
    """Into the queue, and a mark at the end; nobody waits for who has stopped listening."""
    with suppress(*_CUT):
        for piece in output:
            if not _put(pieces, piece, over):
                return
    _put(pieces, None, over)


def _put(pieces: "queue.Queue[bytes | None]", piece: bytes | None, over: threading.Event) -> bool:
    while not over.is_set():
        with suppress(queue.Full):
            pieces.put(piece, timeout=LOOK_EVERY)
            return True
    return False


def _until_stopped(pieces: "queue.Queue[bytes | None]", stopped: Stopped, over: threading.Event) -> Iterator[bytes]:
    while True:
        if stopped():
            over.set()
            return
        with suppress(queue.Empty):
            piece = pieces.get(timeout=LOOK_EVERY)
            if piece is None:
                return
            yield piece


def lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Whole lines, and what stands after the last one; a line over the limit in pieces of it."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield from _cut(line)
        while len(rest) >= LINE_LIMIT:
            yield rest[:LINE_LIMIT].decode(errors="replace")
            rest = rest[LINE_LIMIT:]
    if rest:
        yield rest.decode(errors="replace")


def _cut(line: bytes) -> Iterator[str]:
    for start in range(0, max(len(line), 1), LINE_LIMIT):
        yield line[start : start + LINE_LIMIT].decode(errors="replace")
