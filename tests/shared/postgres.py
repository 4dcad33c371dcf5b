"""A PostgreSQL server of our own, from the programs that Debian installs."""

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
USER = "longshore"
OPTIONS = "-c listen_addresses='' -c fsync=off -c max_connections=120"


class Cluster:
    """One server on a Unix socket, as the user postgres where we are root. A context: it runs inside."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lsh-pg-", dir="/tmp"))
        self._as_postgres = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self._as_postgres:
            shutil.chown(self._folder, "postgres")

    def __enter__(self) -> Self:
        self._run("initdb", "-D", str(self._folder / "data"), "-A", "trust", "-U", USER, "--no-sync")
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def make(self) -> str:
        """A new empty database; its URL."""
        name = f"d{secrets.token_hex(4)}"
        self._run("createdb", "-h", str(self._folder), "-U", USER, name)
        return f"postgresql://{USER}@/{name}?host={self._folder}"

    def start(self) -> None:
        """Start it; returns when it answers."""
        self._control("-w", "-l", str(self._folder / "log"), "-o", f"-k {self._folder} {OPTIONS}", "start")

    def stop(self) -> None:
        """End it the way a crash would: without a word to its clients."""
        self._control("-m", "immediate", "stop")

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        argv = [*self._as_postgres, str(PROGRAMS / program), *arguments]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd=self._folder)
