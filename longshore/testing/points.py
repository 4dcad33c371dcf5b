"""Points: where a process can be killed. For tests of what happens then; the product knows nothing of them.

``Points.instrument`` wraps the ports and the database of some services, so that each effect outside and each commit
that belongs to a job is told twice, before and after it, under a name that can be read and that stays the same::

    build: before commit of claim                deploy: after engine.start of _start
    build: inside files.build_folder of run      health_check: before commit of _switch
    push: during engine.push of run              drain: before router.apply of run (2)
    web: before files.accept                     web: after commit of deployments.create

``inside``: a context was entered. ``during``: the part at work said its first word, or asked whether it should stop.
The job comes from the stack of calls, as does the function: the innermost one in ``longshore.services`` that did it.
``(2)``: the same function does the same thing at a second place. What sweeps and heartbeats do has no points; what
else is done outside any job has some where it is given a name (``outside``), for the web process.

A method of a port is a point unless it is listed as one that only looks: a new one cannot be forgotten.
"""

import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields, replace
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from longshore.services.context import Services

    Opened = TypeVar("Opened", bound=Services)

SERVICES, SWEEPS = "longshore.services.", "longshore.services.sweeps."
CARRIERS = frozenset({"longshore.services.routing"})  # they only pass on what another function wants
HOLDERS = (("longshore.services.work", "Work"), ("longshore.models.job", "Job"))  # who can say which job it is

LOOKS: Mapping[str, frozenset[str]] = {
    "queue": frozenset({"ping"}),
    "git": frozenset({"check"}),
    "files": frozenset({"uploads", "upload", "build_folders", "tree", "free_bytes"}),
    "engine": frozenset({"facts", "find_image", "image_ids", "find", "containers", "output", "listeners", "volumes"}),
    "builder": frozenset({"rung", "limits"}),
    "registry": frozenset({"prefix", "digest", "ping"}),
    "router": frozenset({"probe", "sessions", "certificates", "counters", "ping"}),
}


@dataclass(frozen=True)
class _Site:
    """Who does something: the job, the function, and where in it."""

    job: str
    job_id: int
    function: str
    line: int


class Points:
    """Tells of the points of one process. ``outside`` is the name of what is no job; without one it has no points."""

    def __init__(self, reached: Callable[[str], None], outside: str | None = None) -> None:
        self._reached = reached
        self._outside = outside
        self._lock = threading.Lock()
        self._lines: dict[tuple[int, str], list[int]] = defaultdict(list)

    def instrument(self, services: "Opened") -> "Opened":
        """The same services, watched."""
        there = {field.name for field in fields(services)}
        ports = {name: _Port(self, name, getattr(services, name)) for name in LOOKS if name in there}
        watched: Any = {"db": _Database(self, services.db), **ports}
        return replace(services, **watched)

    def tell(self, when: str, what: str, site: _Site | None) -> None:
        """A point is reached."""
        if site is None:
            return
        with self._lock:
            whose = f"{what} of {site.function}" if site.function else what
            lines = self._lines[site.job_id, whose]
            if site.line not in lines:
                lines.append(site.line)
            place = lines.index(site.line) + 1
        self._reached(f"{site.job}: {when} {whose}" + (f" ({place})" if place > 1 else ""))

    def site(self) -> _Site | None:
        """Who calls, when that is a job or what is named instead of one."""
        function, line, room, holder = "", 0, "", None
        for frame, module in _frames(sys._getframe(1)):
            if module.startswith(SWEEPS):
                return None
            if not function and module not in CARRIERS:
                function, line, room = _function(frame), frame.f_lineno, module.rpartition(".")[2]
            found = _holder(frame)
            if found is not None and (holder is None or type(found).__name__ == "Work"):
                holder = found
        if holder is not None:
            identity = getattr(holder, "job_id", None) or holder.id
            return _Site(str(holder.kind), identity, function, line)
        if self._outside is None:
            return None
        return _Site(self._outside, 0, f"{room}.{function}" if function else "", line)


def _frames(frame: FrameType | None) -> Iterator[tuple[FrameType, str]]:
    """The frames of services, innermost first."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(SERVICES):
            yield frame, module
        frame = frame.f_back


def _function(frame: FrameType) -> str:
    """Its name; of what is inside a function, that function's."""
    return frame.f_code.co_qualname.partition(".<locals>")[0].rpartition(".")[2]


def _holder(frame: FrameType) -> Any:
    """A local variable that says which job is run: by its type, wherever it is called what."""
    found = {(type(value).__module__, type(value).__name__): value for value in frame.f_locals.values()}
    return next((found[kind] for kind in HOLDERS if kind in found), None)


class _Port:
    """A port whose calls are points."""

    def __init__(self, points: Points, name: str, inner: Any) -> None:
        self._points, self._name, self._inner = points, name, inner

    def __getattr__(self, method: str) -> Any:
        """The inner one's; watched unless it only looks."""
        found = getattr(self._inner, method)
        if not callable(found) or method in LOOKS[self._name]:
            return found
        return lambda *args, **kwargs: _call(self._points, f"{self._name}.{method}", found, args, kwargs)


def _call(points: Points, what: str, method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    site = points.site()

    def during(callback: Any) -> Any:
        return _telling(lambda: points.tell("during", what, site), callback) if callable(callback) else callback

    points.tell("before", what, site)
    answer = method(*map(during, args), **{name: during(value) for name, value in kwargs.items()})
    if isinstance(answer, AbstractContextManager):
        return _entered(points, what, site, answer)
    points.tell("after", what, site)
    return answer


def _telling(tell: Callable[[], None], callback: Callable[..., Any]) -> Callable[..., Any]:
    def told(*args: Any, **kwargs: Any) -> Any:
        tell()
        return callback(*args, **kwargs)

    return told


@contextmanager
def _entered(points: Points, what: str, site: _Site | None, context: AbstractContextManager[Any]) -> Iterator[Any]:
    with context as answer:
        points.tell("inside", what, site)
        yield _items(points, what, site, answer) if isinstance(answer, Iterator) else answer
    points.tell("after", what, site)


def _items(points: Points, what: str, site: _Site | None, items: Iterator[Any]) -> Iterator[Any]:
    for item in items:
        points.tell("during", what, site)
        yield item


class _Database:
    """A database whose commits are points."""

    def __init__(self, points: Points, inner: Any) -> None:
        self._points, self._inner = points, inner

    def __getattr__(self, name: str) -> Any:
        """Everything else is the inner one's."""
        return getattr(self._inner, name)

    @contextmanager
    def write(self) -> Iterator[Any]:
        """One transaction; when its block ends well, it is about to be committed, and then it is."""
        with self._inner.write() as session:
            yield session
            site = self._points.site()
            self._points.tell("before", "commit", site)
        self._points.tell("after", "commit", site)
