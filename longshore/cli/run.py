"""``longshore run``: one command in the image and with the environment that are live."""

import sys
from typing import Any

import click

from longshore.cli.client import ApiError, Client, quoted
from longshore.cli.output import error_of, json_option, show_json

INTERRUPTED = 130


@click.command()
@click.argument("app")
@click.argument("command", nargs=-1, required=True)
@click.option("--process", help="With the limits of this process; default: web.")
@click.option("--deadline", type=click.IntRange(1, 24 * 3600), help="Seconds it may take; default: one hour.")
@json_option
def run(app: str, command: tuple[str, ...], process: str | None, deadline: int | None, as_json: bool) -> None:
    """Run COMMAND once, in a container of its own, and print what it prints. Put -- before it.

    Exits with the command's own exit code. Ctrl-C cancels it.
    """
    client, name = Client(), quoted(app)
    asked: dict[str, Any] = {"command": list(command), "process": process}
    if deadline is not None:
        asked["deadline"] = deadline
    view = client.post(f"/v1/apps/{name}/runs", json=asked)
    path = f"/v1/apps/{name}/runs/{view['number']}"
    try:
        _follow(client, path, quiet=as_json)
    except KeyboardInterrupt:
        _cancel(client, path)
        sys.exit(INTERRUPTED)
    sys.exit(_conclude(client.get(path), as_json))


def _follow(client: Client, path: str, *, quiet: bool) -> None:
    for event in client.events(f"{path}/logs"):
        if event.kind == "log" and not quiet:
            click.echo(event.data["text"])


def _cancel(client: Client, path: str) -> None:
    try:
        client.delete(path)
    except ApiError as error:
        if error.code != "ended":
            raise


def _conclude(view: dict[str, Any], as_json: bool) -> int:
    if as_json:
        show_json(view)
    if view["exit_code"] is not None:
        return int(view["exit_code"])
    if not as_json:
        click.secho(f"run {view['number']} of {view['app']} {view['state']}", fg="red", err=True)
        error_of(view)
    return 1


commands = [run]
