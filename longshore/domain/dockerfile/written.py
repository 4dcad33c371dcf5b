"""What goes in, what comes out, and the Dockerfile lines that every language shares."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT_PORT = 8000
USER = "10001:10001"

# A command that the shell may replace itself with. `exec a && b` would never come to b, and `exec X=1 a` is an error.
_SIMPLE_COMMAND = re.compile(r"(?!\w+=|exec\b|cd\b|if\b|for\b|while\b|\{|!)[^&|;<>()`\n]+")


@dataclass(frozen=True)
class BaseImages:
    """The images to start from; ``{version}`` in ``python`` and ``node`` stands for the version asked for."""

    python: str
    node: str
    static: str


@dataclass(frozen=True)
class WrittenDockerfile:
    """A Dockerfile, and why it reads as it does (``reasons``, for the log).

    ``port`` is the value of ``PORT`` in the image, on which the web server listens on all addresses.
    """

    text: str
    base_image: str
    port: int | None
    language: str
    reasons: tuple[str, ...]


def dockerfile(lines: Iterable[str]) -> str:
    """The lines as one text."""
    return "\n".join(lines) + "\n"


def make_user() -> str:
    """The instruction that makes the user the app runs as, and a folder ``/app`` it may write to.

    Numeric and fixed, so that volumes and ``runAsNonRoot`` rules can name it.
    """
    return (
        "RUN groupadd --gid 10001 app && useradd --uid 10001 --gid 10001 --no-log-init --create-home app"
        " && install -d -o 10001 -g 10001 /app"
    )


def copy_source() -> str:
    """The instruction that copies the source; owned by the app, so that a file packed as 0600 can be read too."""
    return f"COPY --chown={USER} . ."


def run_cached(command: str, cache: str) -> str:
    """A ``RUN`` that keeps the package manager's downloads from one build to the next, outside the image."""
    return f"RUN --mount=type=cache,target={cache} {command}"


def run_as_user(port: int, command: Iterable[str]) -> list[str]:
    """The closing instructions: user, port and command (in exec form, so that signals reach the program)."""
    return [f"USER {USER}", f"EXPOSE {port}", f"CMD {json.dumps(list(command))}"]


def in_shell(command: str) -> tuple[str, ...]:
    """The argument list that runs a shell command, replaced by the program itself where that is safe."""
    prefix = "exec " if _SIMPLE_COMMAND.fullmatch(command) else ""
    return ("sh", "-c", prefix + command)


def with_version(image: str, version: str, reason: str) -> tuple[str, str]:
    """The base image for a version, and the reason for the log, also where the image leaves no choice."""
    if "{version}" in image:
        return image.replace("{version}", version), reason
    fits = f":{version}" in image
    return image, reason if fits else f"{reason}, but the base image is fixed: {image}"
