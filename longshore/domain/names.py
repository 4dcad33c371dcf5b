"""Names and labels: what an app may be called, and how its containers and images are found again."""

import re

APP_NAME = r"[a-z]([a-z0-9-]{0,37}[a-z0-9])?"
PROCESS_NAME = r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?"
VOLUME_NAME = r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?"
ENV_KEY = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
DOMAIN = r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
STACK_NAME = r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?"

WEB = "web"  # the one process that is routed

LABEL_STACK = "longshore.stack"
LABEL_APP = "longshore.app"
LABEL_RELEASE = "longshore.release"
LABEL_GENERATION = "longshore.generation"
LABEL_PROCESS = "longshore.process"
LABEL_SLOT = "longshore.slot"
LABEL_VOLUME = "longshore.volume"
LABEL_ONE_OFF = "longshore.one-off"  # of a command that runs once and ends: what it is for
LABEL_PART = "longshore.part"  # set on the stack's own containers: router, registry

ROUTE_SLOTS = ("a", "b")


def matches(pattern: str, text: str) -> bool:
    """Whether ``text`` is wholly of the pattern (a trailing newline is not)."""
    return re.fullmatch(pattern, text) is not None


def container_name(stack: str, app: str, generation: int, process: str, slot: int) -> str:
    """The one name a replica's container can have: a second create of it is refused by the engine itself."""
    return f"{stack}.{app}.g{generation}.{process}.{slot}"


def container_labels(stack: str, app: str, release: int, generation: int, process: str, slot: int) -> dict[str, str]:
    """The labels by which a replica is found, and by which it is told from other people's containers."""
    return {
        LABEL_STACK: stack,
        LABEL_APP: app,
        LABEL_RELEASE: str(release),
        LABEL_GENERATION: str(generation),
        LABEL_PROCESS: process,
        LABEL_SLOT: str(slot),
    }


def volume_name(stack: str, app: str, volume: str) -> str:
    """What the engine calls a volume of an app: two apps never have one name."""
    return f"{stack}.{app}.{volume}"


def volume_labels(stack: str, app: str, volume: str) -> dict[str, str]:
    """The labels by which a volume is told from other people's."""
    return {LABEL_STACK: stack, LABEL_APP: app, LABEL_VOLUME: volume}


def one_off_name(stack: str, app: str, generation: int, kind: str) -> str:
    """The one name of a deployment's container for a command that ends; no replica's name has four parts."""
    return f"{stack}.{app}.g{generation}.{kind}"


def run_name(stack: str, app: str, number: int) -> str:
    """The one name of the container of a command that somebody asked for."""
    return f"{stack}.{app}.run.{number}"


def one_off_labels(stack: str, app: str, release: int, kind: str) -> dict[str, str]:
    """The labels of a container whose command ends. It has no process label: nothing of it stays, or is routed."""
    return {LABEL_STACK: stack, LABEL_APP: app, LABEL_RELEASE: str(release), LABEL_ONE_OFF: kind}


def part_labels(stack: str, part: str) -> dict[str, str]:
    """The labels of a container, or network, that belongs to the stack itself."""
    return {LABEL_STACK: stack, LABEL_PART: part}


def default_domain(app: str) -> str:
    """Where an app answers that names no domains: browsers and curl resolve it to loopback."""
    return f"{app}.localhost"


def other_route_slot(slot: str | None) -> str:
    """The slot to prepare while ``slot`` serves; the first one for an app that never served."""
    return "a" if slot in (None, "b") else "b"
