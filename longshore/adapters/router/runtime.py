"""HAProxy's Runtime API over its two Unix sockets: the worker's own, and the master's."""

import csv
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from longshore.domain.ports import Counters
from longshore.errors import PartDownError, TransientError

TIMEOUT = 10.0
DRAIN_FLAG, MAINT_FLAGS = 0x08, 0x27  # srv_admin_state: SRV_ADMF_FDRAIN; SRV_ADMF_MAINT, every way into maintenance
_OLD_WORKERS = re.compile(r"# old workers\n(.*?)(?:\n#|\Z)", re.DOTALL)


@dataclass(frozen=True)
class LiveServer:
    """A server as the running router knows it."""

    address: str
    port: int
    draining: bool
    disabled: bool = False  # in maintenance, as every server is between being added and being enabled


class Runtime:
    """Asks and tells a running HAProxy."""

    def __init__(self, sockets: Path) -> None:
        self._admin = sockets / "admin.sock"
        self._master = sockets / "master.sock"

    def ask(self, command: str) -> str:
        """One command to the worker; its answer."""
        return _talk(self._admin, command)

    def ping(self) -> None:
        """Both sockets answer: while it starts, the worker's does before the master's."""
        _talk(self._admin, "show version")
        _talk(self._master, "show version")

    def tell(self, command: str) -> None:
        """A command that answers nothing, or that it is done, when it worked."""
        answer = self.ask(command).strip()
        if answer and not answer.startswith(("New server registered", "Server deleted", "Done")):
            raise TransientError(f"the router refused `{command.split(' ')[0]}`: {answer}", code="router_refused")

    def mark(self) -> str:
        """The mark in the configuration it has read; empty for one without."""
        lines = (line.partition(": ") for line in self.ask("show info").splitlines())
        return next((value.strip() for name, _, value in lines if name == "description"), "")

    def servers(self) -> dict[str, dict[str, LiveServer]]:
        """Backend → server → how it stands; backends without servers are included."""
        found: dict[str, dict[str, LiveServer]] = {name: {} for name in self._backends()}
        for line in self.ask("show servers state").splitlines():
            fields = line.split()
            if len(fields) < 19 or line.startswith("#"):
                continue
            admin = int(fields[6])
            server = LiveServer(fields[4], int(fields[18]), bool(admin & DRAIN_FLAG), bool(admin & MAINT_FLAGS))
            found.setdefault(fields[1], {})[fields[3]] = server
        return found

    def map(self, file: str) -> dict[str, str]:
        """The entries of a map."""
        lines = (line.split() for line in self.ask(f"show map {file}").splitlines())
        return {fields[1]: fields[2] for fields in lines if len(fields) >= 3}

    def reload(self) -> str | None:
        """Take the files as they are now; what is wrong with them, or ``None``. Returns when the new worker serves."""
        answer = _talk(self._master, "reload")
        return None if "Success=1" in answer else answer.strip()

    def sessions(self, backend: str, server: str) -> int:
        """What stands on a server, in this worker and in the ones before a reload."""
        count = self._current_sessions(backend, server)
        for pid in self._old_workers():
            listed = _talk(self._master, f"@!{pid} show sess")
            count += sum(f"be={backend} " in line and f"srv={server} " in line for line in listed.splitlines())
        return count

    def counters(self) -> dict[str, Counters]:
        """Backend → what it was asked, by one command for all."""
        rows = csv.DictReader(self.ask("show stat -1 2 -1").removeprefix("# ").splitlines())
        return {row["pxname"]: _counters(row) for row in rows}

    def _backends(self) -> list[str]:
        return [name for name in self.ask("show backend").split() if not name.startswith("#") and name != "name"]

    def _current_sessions(self, backend: str, server: str) -> int:
        rows = self.ask("show stat -1 4 -1").splitlines()
        for fields in (row.split(",") for row in rows):
            if fields[:2] == [backend, server]:
                return int(fields[4] or 0)
        return 0

    def _old_workers(self) -> list[str]:
        found = _OLD_WORKERS.search(_talk(self._master, "show proc"))
        lines = found[1].splitlines() if found else []
        return [line.split()[0] for line in lines if line[:1].isdigit()]


def _counters(row: dict[str, str]) -> Counters:
    return Counters(int(row["stot"] or 0), int(row["hrsp_5xx"] or 0), int(row["ttime"] or 0) / 1000)


def _talk(path: Path, command: str) -> str:
    """One command, one answer. The half-close matters: without it the master's socket never ends its answer."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect(str(path))
            connection.sendall(command.encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")
    except OSError as error:
        raise PartDownError(
            "router", "the router does not answer", hint="`longshore up` starts it, and a worker keeps it standing."
        ) from error
