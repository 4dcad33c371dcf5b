"""A router that remembers every table it was given."""

from collections import Counter
from collections.abc import Callable, Sequence

from longshore.domain.names import ROUTE_SLOTS, other_route_slot
from longshore.domain.ports import Answer, AppRoute, Counters, Prober, RoutingTable
from longshore.domain.specs import HealthCheck
from longshore.errors import PartDownError


class FakeRouter:
    """Serves the last table applied. ``stuck``: it takes tables and follows none. ``spoils``: what becomes of an
    answer on its way through. A share is kept to exactly: of ten in a thousand, the hundredth goes the other way."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober
        self.tables: list[tuple[AppRoute, ...]] = []
        self.written: list[tuple[AppRoute, ...]] = []
        self.held: dict[tuple[str, str, str], int] = {}  # (app, slot, server) → sessions
        self.counted: dict[tuple[str, str], Counters] = {}
        self.asked: Counter[str] = Counter()  # app → probes that chose no slot
        self.down = False
        self.stuck = False
        self.spoils: Callable[[Answer], Answer] = lambda answer: answer

    def apply(self, desired: Callable[[], RoutingTable]) -> None:
        """Serve a table."""
        table = tuple(desired())
        self.ping()
        if not self.stuck:
            self.tables.append(table)

    def write(self, desired: Callable[[], RoutingTable]) -> None:
        """Remember what one that starts would serve."""
        self.written.append(tuple(desired()))

    def probe(self, slot: str | None, host: str, check: HealthCheck) -> Answer:
        """Ask the first replica that stands where the table leads."""
        if self.down:
            return Answer(None, problem="connection refused")
        route = next((route for route in self.table if host in route.domains), None)
        if route is None:
            return Answer(404)
        chosen = slot or self._drawn(route)
        servers = [one for one in route.servers.get(chosen or "", ()) if not one.draining]
        if not servers:
            self._count(route.app, chosen, 503)
            return Answer(503)
        answer = self._prober.probe(servers[0].address, servers[0].port, check, host)
        served_by = f"{route.app}_{chosen}/{servers[0].name}"
        through = self.spoils(Answer(answer.status, answer.body, answer.problem, served_by))
        self._count(route.app, chosen, through.status)
        return through

    def sessions(self, app: str, slot: str, server: str) -> int:
        """What the test says stands on a server."""
        return 0 if self.down else self.held.get((app, slot, server), 0)

    def certificates(self) -> dict[str, str | None]:
        """None: it speaks no TLS."""
        return {}

    def counters(self) -> dict[tuple[str, str], Counters]:
        """What its probes came to, or what the test says instead."""
        self.ping()
        slots = {(route.app, slot): Counters(0, 0, 0.0) for route in self.table for slot in ROUTE_SLOTS}
        return {slot: self.counted.get(slot, none) for slot, none in slots.items()}

    def ping(self) -> None:
        """Raise ``PartDownError`` while it is down."""
        if self.down:
            raise PartDownError("router", "the router does not answer")

    def _drawn(self, route: AppRoute) -> str | None:
        turn = self.asked[route.app]
        self.asked[route.app] += 1
        other = (turn + 1) * route.share // 1000 > turn * route.share // 1000
        return other_route_slot(route.live) if other and route.live else route.live

    def _count(self, app: str, slot: str | None, status: int | None) -> None:
        if slot is not None:
            there = self.counted.get((app, slot), Counters(0, 0, 0.0))
            errors = there.errors + (status is None or status >= 500)
            self.counted[app, slot] = Counters(there.requests + 1, errors, there.seconds)

    @property
    def table(self) -> tuple[AppRoute, ...]:
        """What is served now."""
        return self.tables[-1] if self.tables else ()

    def led_to(self, app: str) -> Sequence[tuple[str, ...]]:
        """The servers traffic of an app was led to, over time; one entry for each change."""
        history: list[tuple[str, ...]] = []
        for table in self.tables:
            now = tuple(name for route in table if route.app == app for name in _live_servers(route))
            if not history or history[-1] != now:
                history.append(now)
        return history


def _live_servers(route: AppRoute) -> list[str]:
    return [one.name for one in route.servers.get(route.live or "", ()) if not one.draining]
