"""The ``Procfile`` of a source: which processes it has, where nobody declared any."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longshore.domain.names import PROCESS_NAME, matches
from longshore.domain.specs import Config, OneOff, Process
from longshore.domain.tree import SourceTree
from longshore.errors import AppError

FILE = "Procfile"
RELEASE = "release"  # not a process: what runs once before the new replicas start
MOST_PROCESSES, LONGEST_LINE = 20, 4000
_LINE = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(\S.*)")
_MORE_THAN_ONE = re.compile(r"[;&|<>()`\n]|^\w+=")  # a shell has more to do here than to become the command

Commands = Mapping[str, list[str]]


@dataclass(frozen=True)
class Procfile:
    """Argument lists by process name; of ``release`` too."""

    commands: Commands

    @classmethod
    def of(cls, tree: SourceTree) -> "Procfile | None":
        """That of a source tree, if it has one. ``AppError`` names the line that cannot be used."""
        text = tree.read_text(FILE)
        if text is None:
            return None
        commands: dict[str, list[str]] = {}
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                name, command = _read(line.strip().replace("\t", " "), number)
                if name in commands:
                    raise _bad(number, f"names {name} a second time")
                commands[name] = command
        if len(commands) > MOST_PROCESSES:
            raise AppError(f"the Procfile names more than {MOST_PROCESSES} processes", code="bad_procfile")
        return cls(commands) if commands else None


def _read(line: str, number: int) -> tuple[str, list[str]]:
    found = _LINE.fullmatch(line)
    if found is None or not line.isprintable() or len(line) > LONGEST_LINE:
        raise _bad(number, "is not `name: command`")
    name = found[1].lower().replace("_", "-")
    if not matches(PROCESS_NAME, name):
        raise _bad(number, f"names a process {found[1]!r}; a name begins with a letter and has at most 20 characters")
    return name, shell_line(found[2])


def _bad(number: int, what: str) -> AppError:
    hint = "A line is like `worker: python worker.py`; or declare processes in longshore.toml, then it is not read."
    return AppError(f"line {number} of the Procfile {what}", code="bad_procfile", hint=hint)


def shell_line(line: str) -> list[str]:
    """What runs it as a shell inside the container would; a single command takes the shell's place, so that it hears
    SIGTERM itself."""
    single = _MORE_THAN_ONE.search(line) is None and line.split(maxsplit=1)[0] != "exec"
    return ["/bin/sh", "-c", f"exec {line}" if single else line]


def applied(found: Procfile | None, config: Config, before: Commands) -> tuple[Config, Commands]:
    """The configuration with the Procfile's processes, and which commands are the Procfile's.

    ``before`` are those that the live release has from its Procfile. Where the app declares processes or a command
    of its own, nothing is changed. What was set beside a command (replicas, limits) stays with its process.
    """
    if not _left_to_procfile(config, before):
        return config, {}
    commands = found.commands if found else {}
    kept = {name: process.model_dump(exclude_unset=True) for name, process in config.processes.items()}
    processes = {
        name: Process.model_validate({**kept.get(name, {}), "command": command})
        for name, command in commands.items()
        if name != RELEASE
    }
    changes: dict[str, Any] = {"processes": processes, "release_command": _release_command(config, commands, before)}
    return config.model_copy(update=changes), commands


def _left_to_procfile(config: Config, before: Commands) -> bool:
    """Whether every process there is has its command from a Procfile, and ``web`` none of its own."""
    return config.command is None and all(
        name in before and process.command == before[name] for name, process in config.processes.items()
    )


def _release_command(config: Config, commands: Commands, before: Commands) -> OneOff | None:
    declared = config.release_command
    if declared is not None and declared.command != before.get(RELEASE):
        return declared
    if RELEASE not in commands:
        return None
    return declared.model_copy(update={"command": commands[RELEASE]}) if declared else OneOff(command=commands[RELEASE])
