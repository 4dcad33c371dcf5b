"""Scaling: how many replicas, as a change of configuration."""

from typing import Any

from longshore.domain.names import WEB
from longshore.domain.specs import Config
from longshore.errors import NotFoundError
from longshore.services import apps
from longshore.services.context import Services


def patch(services: Services, app_name: str, counts: dict[str, int]) -> dict[str, Any]:
    """The merge patch that gives each process so many replicas; ``NotFoundError`` for one the app does not have."""
    with services.db.read() as session:
        declared = apps.find(session, app_name).declared
    unknown = sorted(counts.keys() - declared.runs.keys())
    if unknown:
        hint = f"It has {', '.join(sorted(declared.runs))}."
        raise NotFoundError(f"{app_name} has no process {unknown[0]}", code="no_process", hint=hint)
    own = {name: count for name, count in counts.items() if name == WEB and not _says_itself(declared)}
    others = {name: {"replicas": count} for name, count in counts.items() if name not in own}
    return ({"replicas": own[WEB]} if own else {}) | ({"processes": others} if others else {})


def _says_itself(declared: Config) -> bool:
    """Whether the number of web is said among the processes, instead of for the app."""
    web = declared.processes.get(WEB)
    return web is not None and web.replicas is not None
