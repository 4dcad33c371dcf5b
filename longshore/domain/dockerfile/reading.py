"""Reads configuration files of which nothing may be taken for granted: not that they are there, parse, or fit."""

import json
import re
import tomllib
from typing import Any

from longshore.domain.tree import SourceTree
from longshore.errors import AppError

Table = dict[str, Any]

_WEB_LINE = re.compile(r"web\s*:\s*(\S.*)")


def toml(tree: SourceTree, path: str) -> Table:
    """A TOML file as a table; empty when it is not there or not TOML."""
    try:
        return tomllib.loads(tree.read_text(path) or "")
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def json_table(tree: SourceTree, path: str) -> Table:
    """A JSON file as a table; empty when it is not there, not JSON, or not an object."""
    try:
        value = json.loads((tree.read_text(path) or "").removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def table(document: Table, *keys: str) -> Table:
    """The table under these keys; empty when there is none."""
    for key in keys:
        value = document.get(key)
        document = value if isinstance(value, dict) else {}
    return document


def text(document: Table, key: str) -> str:
    """The text under this key, stripped; empty when there is none."""
    value = document.get(key)
    return value.strip() if isinstance(value, str) else ""


def lines(tree: SourceTree, path: str) -> list[str]:
    """The lines of a file, stripped, without empty ones and comments."""
    stripped = (line.strip() for line in (tree.read_text(path) or "").removeprefix("\ufeff").splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def web_command(tree: SourceTree) -> str | None:
    """The command of the ``web:`` line in the Procfile. Raises ``AppError`` when it holds control characters."""
    for line in lines(tree, "Procfile"):
        found = _WEB_LINE.fullmatch(line.replace("\t", " "))
        if found and not found[1].isprintable():
            raise AppError(
                "The `web:` line of the Procfile holds control characters.",
                code="not_recognised",
                hint="Write the command as plain text on one line.",
            )
        if found:
            return found[1]
    return None
