"""Files, then Runtime API, then compare; whatever does not fit after that is mended by a reload."""

import fcntl
import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from longshore.adapters.files import replace_file
from longshore.adapters.probing import ask
from longshore.adapters.router import certificates, config
from longshore.adapters.router.runtime import LiveServer, Runtime
from longshore.domain.names import ROUTE_SLOTS
from longshore.domain.ports import Answer, Counters, RouteServer, RoutingTable
from longshore.domain.specs import HealthCheck
from longshore.errors import LongshoreError, PartDownError, PlatformError

KEY_FILE = "probe-key"
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - a name for it
Running = dict[str, dict[str, LiveServer]]


class HAProxyRouter:
    """One router of one stack; its lock is a file, so all workers of this host take turns."""

    def __init__(
        self, folder: Path, sockets: Path, port: int, bind: str = LOOPBACK, tls: tuple[int, Path] | None = None
    ) -> None:
        self._folder = folder
        self._runtime = Runtime(sockets)
        self._port = port
        self._bind = bind
        self._tls = tls  # a port and a folder of certificates
        self._threads = threading.Lock()
        self._client = httpx.Client(verify=False, trust_env=False, follow_redirects=False)  # noqa: S501 - http only

    def apply(self, desired: Callable[[], RoutingTable]) -> None:
        """Serve exactly what ``desired`` says, read while nobody else writes."""
        with self._lock():
            table = desired()
            files = self._render(table)
            before = self._write(files)
            if not self._follow(table, config.mark(files)):
                self._reload(before)
            certificates.sweep(self._folder, keep=config.certificates_of(files))

    def write(self, desired: Callable[[], RoutingTable]) -> None:
        """The files only: what a router that starts will serve."""
        with self._lock():
            self._write(self._render(desired()))

    def probe(self, slot: str | None, host: str, check: HealthCheck) -> Answer:
        """One request by the way every request comes."""
        headers = {"host": host, "x-longshore-probe": self._key(), **({"x-longshore-slot": slot} if slot else {})}
        return ask(self._client, f"http://{LOOPBACK}:{self._port}{check.path}", headers, check)

    def sessions(self, app: str, slot: str, server: str) -> int:
        """What stands on a server. A router that is down holds nothing."""
        try:
            return self._runtime.sessions(config.backend(app, slot), server)
        except PartDownError:
            return 0

    def counters(self) -> dict[tuple[str, str], Counters]:
        """What every slot was asked since the last reload."""
        return {config.slot_of(name): one for name, one in self._runtime.counters().items() if "_" in name}

    def ping(self) -> None:
        """Raise ``PartDownError`` unless it answers."""
        self._runtime.ping()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._threads, (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the file is closed, also by a crash
            yield

    def certificates(self) -> dict[str, str | None]:
        """What is in the folder, and what is wrong with it."""
        return certificates.problems(self._tls[1]) if self._tls else {}

    def _render(self, table: RoutingTable) -> dict[str, str]:
        tls = None
        if self._tls:
            port, folder = self._tls
            tls = config.Tls(port, tuple(_listens(self._bind, port)), certificates.place(folder, self._folder))
        return config.render(table, self._key(), _listens(self._bind, self._port), tls)

    def _key(self) -> str:
        """What tells our own probes from everybody's requests; made once per stack."""
        path = self._folder / KEY_FILE
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, secrets.token_hex(16))
        return path.read_text()

    def _write(self, files: dict[str, str]) -> dict[str, str]:
        """Put the files in place; what they were before."""
        before = {}
        for name, text in files.items():
            path = self._folder / name
            old = path.read_text() if path.exists() else None
            if old is not None:
                before[name] = old
            if old != text:
                replace_file(path, text)
        return before

    def _follow(self, table: RoutingTable, mark: str) -> bool:
        """Bring the running router to the table by commands; whether it is there now."""
        try:
            if self._runtime.mark() != mark:
                return False
            running = self._runtime.servers()
            serving = config.serving(self._map(config.LIVE), self._map(config.SHARE))
            self._tell(_drains(table, running, leave=serving))  # no slot is switched to with a loser in it
            self._tell(_additions(table, running))
            self._follow_maps(config.maps(table))
            self._tell(_drains(table, running))  # and none is drained while traffic still goes there
            self._remove_surplus(table)
            return self._agrees(table)
        except PartDownError:
            raise
        except LongshoreError:
            return False

    def _tell(self, commands: Iterable[str]) -> None:
        for command in commands:
            self._runtime.tell(command)

    def _map(self, name: str) -> dict[str, str]:
        return self._runtime.map(f"{config.FOLDER}/{name}")

    def _follow_maps(self, wanted: dict[str, dict[str, str]]) -> None:
        """All that is new or different, and only then what is gone: a switch takes its share along."""
        there = {name: self._map(name) for name in wanted}
        for name, entries in wanted.items():
            self._tell(_entries(f"{config.FOLDER}/{name}", entries, there[name]))
        for name, entries in wanted.items():
            self._tell(f"del map {config.FOLDER}/{name} {key}" for key in there[name].keys() - entries.keys())

    def _remove_surplus(self, table: RoutingTable) -> None:
        """Servers of replicas that are gone. One with a connection left stays until the next look."""
        wanted = {(name, server.name) for name, servers in _by_backend(table).items() for server in servers}
        for name, servers in self._runtime.servers().items():
            for server in servers:
                if (name, server) not in wanted:
                    where = f"{name}/{server}"
                    self._runtime.ask(f"set server {where} state maint; shutdown sessions server {where}")
                    self._runtime.ask(f"del server {where}")

    def _agrees(self, table: RoutingTable) -> bool:
        running = self._runtime.servers()
        return all(
            _stands(running.get(name, {}), one) for name, servers in _by_backend(table).items() for one in servers
        ) and all(self._map(name) == entries for name, entries in config.maps(table).items())

    def _reload(self, before: dict[str, str]) -> None:
        """The universal repair: the result is always exactly the files. Bad files are taken back: they would end
        the router at its next start."""
        problem = self._runtime.reload()
        if problem is not None:
            self._write(before)
            raise PlatformError(f"the router refuses its configuration: {problem[-500:]}", code="router_config")


def _listens(bind: str, port: int) -> list[str]:
    """Where it listens: our own probes always come by loopback."""
    addresses = [bind] if bind in (LOOPBACK, EVERYWHERE) else [LOOPBACK, bind]
    return [f"{address}:{port}" for address in addresses]


def _by_backend(table: RoutingTable) -> dict[str, tuple[RouteServer, ...]]:
    return {
        config.backend(route.app, slot): tuple(route.servers.get(slot, ())) for route in table for slot in ROUTE_SLOTS
    }


def _entries(file: str, wanted: dict[str, str], there: dict[str, str]) -> Iterator[str]:
    for key, value in wanted.items():
        if key not in there:
            yield f"add map {file} {key} {value}"
        elif there[key] != value:
            yield f"set map {file} {key} {value}"


def _additions(table: RoutingTable, running: Running) -> Iterator[str]:
    """What is new, and what somebody added and did not live to enable. A server that moved is left to the reload."""
    for name, servers in _by_backend(table).items():
        for server in servers:
            where, there = f"{name}/{server.name}", running.get(name, {}).get(server.name)
            if server.draining or (there is not None and not there.disabled):
                continue
            if there is None:
                yield f"add server {where} {server.address}:{server.port} {config.CHECK}"
            yield f"enable health {where}"
            yield f"enable server {where}"


def _drains(table: RoutingTable, running: Running, leave: Collection[str] = ()) -> Iterator[str]:
    """What gets no new request any more."""
    for name, servers in _by_backend(table).items():
        for server in servers if name not in leave else ():
            there = running.get(name, {}).get(server.name)
            if server.draining and there is not None and not there.draining:
                yield f"set server {name}/{server.name} state drain"


def _stands(running: dict[str, LiveServer], wanted: RouteServer) -> bool:
    """A draining server may be gone already: a reload leaves it to the old process."""
    there = running.get(wanted.name)
    if there is None:
        return wanted.draining
    stands = (there.address, there.port, there.draining)
    return stands == (wanted.address, wanted.port, wanted.draining) and (wanted.draining or not there.disabled)
