"""Waits and locks in words for people: the API's own, with since when and how much longer."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from longshore.cli.output import when

LENGTH = re.compile(r"(?=.)(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,4})m)?(?:(\d{1,4})s)?")
MODES = {"refuse": "new deployments are refused", "wait": "new deployments wait"}


def span(seconds: int | None) -> str:
    """A length of time, as exact as people need it."""
    if seconds is None:
        return ""
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def wait_of(view: dict[str, Any]) -> str:
    """Where a deployment that waits stands: ``position 1, since …, about 40 s more``."""
    waiting = view["waiting"]
    if waiting is None:
        return ""
    left = waiting["estimate_seconds"]
    more = [] if left is None else [f"about {span(left)} more"]
    return ", ".join([f"position {waiting['position']}", f"since {when(waiting['since'])} UTC", *more])


def lock_of(app: dict[str, Any]) -> str:
    """The lock of an app."""
    lock = app["lock"]
    if lock is None:
        return ""
    until = f" until {when(lock['until'])} UTC" if lock["until"] else ""
    return (
        f"locked by {lock['owner']}{until}: {lock['reason']} (since {when(lock['since'])} UTC; {MODES[lock['mode']]})"
    )


def end_of(length: str | None, until: str | None) -> str | None:
    """The end of a lock as the API wants it: so long from now, or an instant with its zone."""
    if length is not None and until is not None:
        raise click.UsageError("--for and --until exclude each other")
    if length is not None:
        return (datetime.now(UTC) + _length(length)).isoformat()
    return _instant(until).isoformat() if until is not None else None


def _length(text: str) -> timedelta:
    found = LENGTH.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no length of time, such as 30m, 2h or 1d12h", param_hint="--for")
    days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        hint = "2030-01-31T14:00Z or 2030-01-31T14:00+02:00"
        raise click.BadParameter(f"{text!r} is no instant with its zone, such as {hint}", param_hint="--until")
    return instant


def where(url: str | None) -> str:
    """Where an app is reached."""
    return f"at {url}" if url else "not routed (it has no process web)"


def processes_of(app: dict[str, Any]) -> str:
    """How many replicas of which process: ``web 2, worker 1``."""
    return ", ".join(f"{name} {process['replicas']}" for name, process in app["processes"].items())


def address_of(replica: dict[str, Any]) -> str:
    """Where a replica is; a process without a port has only an address."""
    return f"{replica['address']}:{replica['port']}" if replica["port"] else str(replica["address"])
