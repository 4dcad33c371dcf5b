"""What ``doctor`` looks at: every part, from this process, whether the stack is up or not."""

from collections.abc import Callable
from dataclasses import dataclass

from longshore.adapters.builder.buildx import plugin_version
from longshore.adapters.supervisor import Supervisor
from longshore.bootstrap import open_worker_services
from longshore.errors import LongshoreError
from longshore.services import WorkerServices, disk
from longshore.settings import GiB, Settings


@dataclass(frozen=True)
class Finding:
    """One part: a fact when it is fine, a problem and what to do when it is not."""

    part: str
    fact: str = ""
    problem: str | None = None
    hint: str | None = None


def look(settings: Settings) -> list[Finding]:
    """Every part, in the order in which they need each other."""
    try:
        with open_worker_services(settings) as services:
            return [_finding(part, check, services) for part, check in CHECKS.items()]
    except LongshoreError as error:
        return [Finding("home", problem=error.message, hint=error.hint)]


def _finding(part: str, check: Callable[[WorkerServices], str], services: WorkerServices) -> Finding:
    try:
        return Finding(part, fact=check(services))
    except LongshoreError as error:
        return Finding(part, problem=error.message, hint=error.hint)


def _processes(services: WorkerServices) -> str:
    if Supervisor(services.settings).running():
        return f"supervised, logs in {services.settings.root / 'logs'}"
    raise LongshoreError("the stack's processes are not running", hint="`longshore up` starts them.")


def _name(services: WorkerServices) -> str:
    services.parts.refuse_others()
    return services.settings.stack


def _database(services: WorkerServices) -> str:
    services.db.ping()
    return services.settings.database.partition(":")[0]


def _redis(services: WorkerServices) -> str:
    services.queue.ping()
    return "answers"


def _engine(services: WorkerServices) -> str:
    facts = services.engine.facts()
    return f"Docker {facts.version}, {facts.storage}"


def _rung(services: WorkerServices) -> str:
    plugin = plugin_version()
    return f"{services.builder.rung}" + (f" (buildx {plugin} for what it cannot)" if plugin else " (no buildx)")


def _limits(services: WorkerServices) -> str:
    return services.builder.limits()


def _registry(services: WorkerServices) -> str:
    services.registry.ping()
    return services.registry.prefix


def _router(services: WorkerServices) -> str:
    services.router.ping()
    return f"http://127.0.0.1:{services.settings.router_port}"


def _certificates(services: WorkerServices) -> str:
    port, found = services.settings.tls_port, services.router.certificates()
    if port is None:
        return "none: TLS is off"
    bad = [f"{name}: {problem}" for name, problem in found.items() if problem]
    if bad:
        hint = "These are left out; each file holds a full chain and its key, unlocked."
        raise LongshoreError("; ".join(bad), hint=hint)
    return f"{len(found)}, on port {port}"


def _disk(services: WorkerServices) -> str:
    disk.need_room(services)
    return f"{services.files.free_bytes() / GiB:.0f} GiB free"


CHECKS: dict[str, Callable[[WorkerServices], str]] = {
    "stack": _name,
    "processes": _processes,
    "database": _database,
    "redis": _redis,
    "engine": _engine,
    "build rung": _rung,
    "build limits": _limits,
    "registry": _registry,
    "router": _router,
    "certificates": _certificates,
    "disk": _disk,
}
