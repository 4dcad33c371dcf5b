"""A blocking stream, read by a thread of its own, so that whoever follows it can look up now and then."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
LOOK_UP = 0.25  # seconds


class _End:
    """The reader is done: in good order, or with an error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def followed(read: Callable[[], Iterator[Item]], close: Callable[[], None]) -> Iterator[Iterator[Item | None]]:
    """Items as they come, ``None`` whenever nothing came for a moment. ``close`` must make ``read`` end."""
    items: queue.Queue[Any] = queue.Queue(maxsize=1000)  # a build that prints for ever must not fill memory
    leaving = threading.Event()
    thread = threading.Thread(target=_pump, args=(read, items, leaving), name="build-stream", daemon=True)
    thread.start()
    try:
        yield _items(items)
    finally:
        leaving.set()
        close()
        thread.join(timeout=5)


def _pump(read: Callable[[], Iterator[Item]], items: "queue.Queue[Item | _End]", leaving: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for item in read():
            if not _put(items, item, leaving):
                return
    except BaseException as caught:  # whatever it was, the follower must hear of it
        error = caught
    _put(items, _End(error), leaving)


def _put(items: "queue.Queue[Item | _End]", item: Item | _End, leaving: threading.Event) -> bool:
    while not leaving.is_set():
        try:
            items.put(item, timeout=LOOK_UP)
        except queue.Full:
            continue
        return True
    return False


def _items(items: "queue.Queue[Item | _End]") -> Iterator[Item | None]:
    while True:
        try:
            item: Item | _End = items.get(timeout=LOOK_UP)
        except queue.Empty:
            yield None
            continue
        if isinstance(item, _End):
            if item.error is not None:
                raise item.error
            return
        yield item
