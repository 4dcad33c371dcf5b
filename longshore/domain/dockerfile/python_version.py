"""Which Python a source tree asks for."""

import re

from longshore.domain.dockerfile.reading import lines, table, text, toml
from longshore.domain.tree import SourceTree
from longshore.errors import AppError

DEFAULT = (3, 13)

# Versions a range may choose from; a pin may name any 3.x.
_KNOWN_MINORS = range(8, 16)
# A range is asked about the last patch of a minor version: that is what `python:3.12-slim` is.
_LAST_PATCH = 999

_PIN = re.compile(r"(?:c?python-?)?3\.(\d{1,2})(?:\.\d{1,3})?", re.ASCII)
_CLAUSE = re.compile(r"(===|==|!=|<=|>=|~=|<|>|\^|~|=|)\s*v?(\d{1,3}(?:\.\d{1,3}){0,2})(\.\*)?", re.ASCII)

Version = tuple[int, ...]


def python_version(tree: SourceTree) -> tuple[str, str]:
    """The version to build with, as ``3.12``, and the reason for it.

    A pin (``.python-version``, ``runtime.txt``, Pipfile) is obeyed to the minor version, so that security fixes
    arrive. A range (``requires-python``, Poetry's ``python``) means the default when that satisfies it, else the
    version nearest to the default that does. Raises ``AppError`` when none does.
    """
    for source, asked in _asked(tree):
        chosen = pinned(asked) if source != "pyproject.toml" else within(asked)
        if chosen:
            return chosen, f"Python {chosen} from {source}"
    return _written(DEFAULT), f"Python {_written(DEFAULT)} by default"


def pinned(asked: str) -> str | None:
    """``3.12`` for ``3.12``, ``3.12.4``, ``python-3.12.4``; ``None`` for what is no pin of a Python 3."""
    found = _PIN.fullmatch(asked)
    return f"3.{int(found[1])}" if found else None


def within(asked: str) -> str | None:
    """The version nearest to the default inside a range (PEP 440, and Poetry's ``^``, ``~`` and ``||``).

    ``None`` when the range cannot be read. Raises ``AppError`` when no known version is inside it.
    """
    if asked == "*":
        return _written(DEFAULT)
    alternatives = [_clauses(part) for part in re.split(r"\|\|?", asked)]
    if not all(alternatives):
        return None
    for minor in sorted(_KNOWN_MINORS, key=lambda minor: (abs(minor - DEFAULT[1]), -minor)):
        version = (3, minor, _LAST_PATCH)
        if any(all(_satisfies(version, *clause) for clause in clauses) for clauses in alternatives):
            return _written(version)
    raise AppError(
        f"No Python from 3.{_KNOWN_MINORS[0]} to 3.{_KNOWN_MINORS[-1]} satisfies the version range in pyproject.toml.",
        code="not_recognised",
        hint="Widen `requires-python` in pyproject.toml, or add a Dockerfile.",
    )


def _asked(tree: SourceTree) -> list[tuple[str, str]]:
    pipfile = table(toml(tree, "Pipfile"), "requires")
    pyproject = toml(tree, "pyproject.toml")
    asked = [
        (".python-version", next(iter(lines(tree, ".python-version")), "")),
        ("runtime.txt", next(iter(lines(tree, "runtime.txt")), "")),
        ("Pipfile", text(pipfile, "python_full_version") or text(pipfile, "python_version")),
        ("pyproject.toml", text(table(pyproject, "project"), "requires-python")),
        ("pyproject.toml", text(table(pyproject, "tool", "poetry", "dependencies"), "python")),
    ]
    return [(source, version) for source, version in asked if version]


def _clauses(part: str) -> list[tuple[str, Version, bool]]:
    """Operator, version and ``.*`` of each clause; empty when one cannot be read."""
    found = [_CLAUSE.fullmatch(clause.strip()) for clause in part.split(",") if clause.strip()]
    return [] if None in found else [(m[1], _numbers(m[2]), bool(m[3])) for m in found if m]


def _satisfies(version: Version, operator: str, bound: Version, _any_patch: bool) -> bool:
    prefix = version[: min(len(bound), 2)] == bound[:2]
    match operator:
        case ">=":
            return version >= bound
        case ">":
            return version > bound
        case "<":
            return version < bound
        case "<=":
            return version <= bound
        case "~=":
            return version >= bound and version[: len(bound) - 1] == bound[:-1]
        case "~":
            return version >= bound and prefix
        case "^":
            return version >= bound and version[0] == bound[0]
        case "!=":
            # `!=3.12.1` leaves the other patches of 3.12; `!=3.12.*` does not.
            return not (prefix and len(bound) <= 2)
        case _:
            return prefix


def _numbers(version: str) -> Version:
    return tuple(int(number) for number in version.split("."))


def _written(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
