"""The engine is restarted, and killed, while a deployment is at work: it costs time, and nothing else."""

import itertools
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import projects
import pytest
from choice import ALL
from harness import Files, Prober, until
from private_engine import PrivateEngine, PrivateStack, private_engine

View = dict[str, Any]
_numbers = itertools.count(1)

_SERVER = """\
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(2)
        body = {text!r}.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

time.sleep({late})
print("ready to serve", flush=True)
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""


def server(text: str, *, late: float = 0, instruction: str = "") -> Files:
    """A web server that says one thing; ``instruction``: one more for its Dockerfile, never in any cache."""
    files = projects.program(_SERVER.format(text=text, late=late))
    if instruction:
        files["Dockerfile"] += f"RUN {instruction} && echo {secrets.token_hex(8)}\n"
    return files


@dataclass(frozen=True)
class Moment:
    """A moment in a deployment, and how a deployment is made to stay there for a while."""

    reached: Callable[[PrivateStack, View], object]
    source: Files = field(default_factory=lambda: server("new"))
    replicas: int = 2
    held: bool = False  # whether the old release is busy with a request meanwhile


def _running(stack: PrivateStack, view: View, kind: str) -> bool:
    return any(job["kind"] == kind and job["state"] == "running" for job in stack.show(view)["jobs"])


def _started(stack: PrivateStack, view: View) -> bool:
    return any(job["kind"] == "deploy" and job["state"] == "succeeded" for job in stack.show(view)["jobs"])


def _switched(stack: PrivateStack, view: View) -> bool:
    events = stack.view(f"/v1/apps/{view['app']}/deployments/{view['number']}/events")["items"]
    return any(event["kind"] == "route.switched" for event in events)


def _starting(stack: PrivateStack, view: View) -> bool:
    """Some of its replicas are there; the old ones are two."""
    return len(stack.containers(view["app"])) > 2


MOMENTS = {
    "queued": Moment(lambda _stack, _view: True),
    "begun": Moment(lambda stack, view: _running(stack, view, "build")),
    "build": Moment(lambda stack, view: "RUN sleep 2" in stack.log(view), server("new", instruction="sleep 2")),
    "push": Moment(
        lambda stack, view: "pushing" in stack.log(view),
        server("new", instruction="head -c 60000000 /dev/urandom >/large"),
    ),
    "start": Moment(_starting, replicas=6),
    "started": Moment(_started, server("new", late=1)),
    "check": Moment(lambda stack, view: stack.show(view)["phase"] == "checking", server("new", late=2)),
    "switch": Moment(_switched),
    "drain": Moment(lambda stack, view: _running(stack, view, "drain"), held=True),
}
BLOWS = {"restarted": PrivateEngine.restart, "killed": PrivateEngine.kill}
CASES = list(itertools.product(MOMENTS, BLOWS)) if ALL else list(zip(MOMENTS, itertools.cycle(BLOWS), strict=False))


@pytest.fixture(scope="module", params=[True, False], ids=["live-restore", "plain"])
def stack(request: pytest.FixtureRequest, saved_images: Path) -> Iterator[PrivateStack]:
    """A stack on an engine of its own."""
    with private_engine(saved_images, live_restore=request.param) as engine:
        stack = PrivateStack(engine)
        try:
            stack.up()
            yield stack
        finally:
            stack.remove()


@pytest.fixture
def app(stack: PrivateStack) -> Iterator[str]:
    """The name of an app with two replicas that serve; it is deleted afterwards."""
    chosen = f"a{next(_numbers)}"
    stack.deployed(chosen, server("old"), replicas=2)
    yield chosen
    stack.delete(chosen)
    assert stack.containers(chosen) == []


@contextmanager
def held(stack: PrivateStack, app: str) -> Iterator[None]:
    """A request that lasts: whoever got it drains for a while. The engine's end may cut it."""

    def ask() -> None:
        with suppress(httpx.HTTPError):
            stack.get(f"{app}.localhost", "/slow")

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        asking.join()


def serving(stack: PrivateStack, app: str) -> dict[str, str]:
    """Which replicas serve, by the rows: name → address."""
    query = """
        SELECT replicas.name, replicas.address FROM replicas JOIN apps ON apps.id = replicas.app_id
        WHERE apps.name = ? AND replicas.state = 'healthy' AND replicas.route_slot = apps.live_slot
    """
    return dict(stack.rows(query, app))


def standing(stack: PrivateStack, app: str) -> dict[str, str]:
    """Which replicas there are, by the engine: name → address, empty for one that does not run."""
    shown = "{{slice .Name 1}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    names = stack.containers(app)
    lines = stack.docker("inspect", "--format", shown, *names).splitlines() if names else []
    return dict(line.partition(" ")[::2] for line in lines)


def led_to(stack: PrivateStack, app: str) -> set[str]:
    """Where the router sends requests for an app: the addresses in its live slot."""
    entries = map(str.split, stack.router("show map /etc/longshore/live.map").splitlines())
    (slot,) = [entry[2] for entry in entries if entry[1:2] == [app]]
    rows = (line.split() for line in stack.router(f"show servers state {app}_{slot}").splitlines())
    return {row[4] for row in rows if len(row) > 4 and row[1] == f"{app}_{slot}"}


def everything_agrees(stack: PrivateStack, app: str, replicas: int) -> bool:
    """Rows, engine and router say the same, and nothing else is left of the app."""
    rows = serving(stack, app)
    return len(rows) == replicas and standing(stack, app) == rows and led_to(stack, app) == set(rows.values())


def expect_traffic(prober: Prober, *, gaps: int) -> None:
    """Whoever answered was the old release, and then the new one. A gap is the time while its containers are away."""
    texts = [text for text, _ in itertools.groupby(body for _, body in prober.answers)]
    assert texts == ["old", "new"]
    assert prober.gaps() <= gaps, prober.failures


def answered(prober: Prober, text: str) -> bool:
    """Whether the last request was answered so."""
    return prober.course[-1] and prober.answers[-1][1] == text


@pytest.mark.parametrize(("moment", "blow"), CASES)
def test_a_deployment_goes_on_when_the_engine_is_back(stack: PrivateStack, app: str, moment: str, blow: str) -> None:
    chosen = MOMENTS[moment]
    busy = held(stack, app) if chosen.held else nullcontext()
    with stack.probed(app) as prober, busy:
        view = stack.begin(app, chosen.source, replicas=chosen.replicas)
        until(lambda: chosen.reached(stack, view), what=f"it is at its {moment}")
        BLOWS[blow](stack.engine)
        ended = stack.ended(view)
        assert ended["state"] == "succeeded", f"{ended['error']}\n{stack.log(view)[-3000:]}"
        until(lambda: everything_agrees(stack, app, chosen.replicas), what="rows, engine and router agree")
        until(lambda: answered(prober, "new"), what="the new release answers")
    expect_traffic(prober, gaps=0 if stack.engine.live_restore else 1)
    assert stack.deployed(app, server("newer"), replicas=1)["number"] == view["number"] + 1
    assert stack.text(app) == "newer"
    assert everything_agrees(stack, app, 1)
