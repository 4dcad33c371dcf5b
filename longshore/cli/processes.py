"""The processes of a stack, each in the foreground: what the Procfile names and ``up`` runs.

They take this process's place, so signals of a supervisor reach them. The importable names are given as text: the
CLI does not know the API or the workers.
"""

import os
import sys
from pathlib import Path

import click

from longshore.adapters import home
from longshore.adapters.db import SqlDatabase
from longshore.adapters.schema import migrate as migrate_database
from longshore.settings import QUEUES, Settings

CELERY = "longshore_workers.app"
SCHEDULER = "longshore_workers.beat:SteadyScheduler"
QUEUES_VARIABLE = "LONGSHORE_WORKER_QUEUES"


@click.command()
def serve() -> None:
    """The API, on loopback."""
    settings = Settings()
    scratch = "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp"  # noqa: S108 - gunicorn's heartbeat file only
    _become(
        *("gunicorn", "longshore_api.wsgi:create()", "--bind", f"{settings.bind}:{settings.port}"),
        *("--worker-class", "gthread", "--workers", "1", "--threads", str(settings.web_threads)),
        *("--worker-tmp-dir", scratch, "--graceful-timeout", "5", "--keep-alive", "30", "--no-control-socket"),
    )


@click.command()
@click.option("--queues", help=f"Take jobs from these only, comma-separated, of {', '.join(QUEUES)}.")
def worker(queues: str | None = None) -> None:
    """A worker; its jobs run in threads, for they wait on the engine."""
    if queues is not None:
        os.environ[QUEUES_VARIABLE] = _known(queues)  # the process that takes this one's place reads it, too
    settings = Settings()
    taken = settings.queues
    name = settings.stack if taken == QUEUES else "-".join((settings.stack, *taken))
    _become(
        *("celery", "-A", CELERY, "worker", "--pool", "threads", "--concurrency", str(settings.worker_slots)),
        *("--queues", ",".join(taken), "--hostname", f"{name}@%h", "--loglevel", "INFO"),
        *("--without-gossip", "--without-mingle"),
    )


def _known(queues: str) -> str:
    names = [name.strip() for name in queues.split(",")]
    for name in names:
        if name not in QUEUES:
            raise click.BadParameter(
                f"there is no queue {name!r}; there are {', '.join(QUEUES)}", param_hint="--queues"
            )
    return ",".join(names)


@click.command()
def beat() -> None:
    """Rings the periodic tasks. Its schedule is in the program: nothing on disk can be corrupt."""
    Settings()
    _become("celery", "-A", CELERY, "beat", "--scheduler", SCHEDULER, "--pidfile", "", "--loglevel", "WARNING")


@click.command()
def flower() -> None:
    """Flower: the jobs on a screen; read-only, with a password, on loopback."""
    settings = Settings()
    os.environ["FLOWER_BASIC_AUTH"] = f"admin:{home.flower_password(settings)}"  # not in argv, where all see it
    _become(
        *("celery", "-A", CELERY, "flower", f"--port={settings.flower_port}", "--address=127.0.0.1"),
        *("--read_only=true", "--logging=warning"),
    )


@click.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    database = SqlDatabase(Settings().database)
    migrate_database(database)
    database.close()
    click.echo("The database is up to date.")


def _become(module: str, *arguments: str) -> None:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - argv list


commands = [serve, worker, beat, flower, migrate]
