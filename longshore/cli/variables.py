"""Variables as they are given to the command: on its line, on standard input, at a prompt, or in a file."""

import sys
from collections.abc import Iterable
from pathlib import Path

import click


def given(pairs: Iterable[str], file: Path | None) -> dict[str, str]:
    """Names and values. Of two that come by standard input nobody could tell which is which."""
    pairs = tuple(pairs)
    piped = [one for one in pairs if one.endswith("=-") and one.count("=") == 1]
    waiting = [*piped, *(one for one in pairs if "=" not in one and not sys.stdin.isatty())]
    if len(waiting) > 1:
        raise click.UsageError("only one value can come from standard input")
    return {**(_of_file(file) if file else {}), **dict(_pair(one) for one in pairs)}


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if equals and value != "-":
        return key, value
    if equals or not sys.stdin.isatty():
        return key, sys.stdin.read().removesuffix("\n")
    return key, str(click.prompt(key, hide_input=True, default="", show_default=False))


def _of_file(file: Path) -> dict[str, str]:
    """Lines ``KEY=VALUE``; empty ones and those that begin with ``#`` say nothing. A value in quotes may have several
    lines."""
    values: dict[str, str] = {}
    lines = iter(file.read_text().splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals:
            raise click.UsageError(f"{file} has a line that is not KEY=VALUE")
        values[key.strip()] = _unquoted(value.strip(), lines, f"{file}: {key}")
    return values


def _unquoted(value: str, following: Iterable[str], where: str) -> str:
    quote = value[:1]
    if quote not in ("'", '"') or not quote:
        return value
    pieces = [value[1:]]
    rest = iter(following)
    while not pieces[-1].endswith(quote):
        line = next(rest, None)
        if line is None:
            raise click.UsageError(f"{where} has a quote that does not end")
        pieces.append(line)
    return "\n".join(pieces)[:-1]
