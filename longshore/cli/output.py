"""How answers look: tables and panels for people, JSON for machines."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)

COLOURS = {
    "succeeded": "green",
    "running": "green",
    "healthy": "green",
    "deploying": "cyan",
    "starting": "cyan",
    "queued": "yellow",
    "draining": "yellow",
    "failed": "red",
    "deleting": "red",
}


def show_json(value: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, indent=2))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """A table, or one sentence when there is nothing to show."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table) if table.row_count else click.echo(empty)


def _cell(value: Any) -> Text:
    text = "" if value is None else str(value)
    return Text(text, style=COLOURS.get(text, ""))


def error_of(view: dict[str, Any]) -> None:
    """The error of a deployment, and what to do about it."""
    error = view.get("error")
    if error:
        click.secho(f"error: {error['message']}", fg="red", err=True)
        if error.get("hint"):
            click.echo(f"       {error['hint']}", err=True)


def when(instant: str | None) -> str:
    """An instant, short: seconds are enough for people."""
    return (instant or "")[:19].replace("T", " ")
