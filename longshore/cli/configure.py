"""``env``, ``scale``, ``restart``: configuration is a release too. Each follows its deployment to the end."""

import sys
from pathlib import Path
from typing import Any

import click

from longshore.cli.client import Client, quoted
from longshore.cli.follow import follow
from longshore.cli.output import json_option, show_json, show_table
from longshore.cli.variables import given

detach_option = click.option("--detach", is_flag=True, help="Do not follow: print the deployment and leave.")


class Env(click.Group):
    """``env APP`` looks; ``env set`` and ``env unset`` change."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """What is no verb is the name of an app."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["list", *args])


@click.group(cls=Env)
def env() -> None:
    """The environment of an app: ``env APP``, ``env set APP K=V …``, ``env unset APP K …``."""


@env.command("list")
@click.argument("app")
@click.option("--reveal", is_flag=True, help="Show the values; for admins, and who looked is remembered.")
@json_option
def list_all(app: str, reveal: bool, as_json: bool) -> None:
    """The variables of APP."""
    found = Client().get(f"/v1/apps/{quoted(app)}/env", reveal="true" if reveal else None)
    if as_json:
        return show_json(found)
    values = found["values"] or {}
    rows = [(key, values[key]) if reveal else (key,) for key in found["keys"]]
    return show_table(("variable", "value") if reveal else ("variable",), rows, f"{app} has no variables.")


@env.command("set")
@click.argument("app")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE | KEY=- | KEY] …")
@click.option("--from", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Lines KEY=VALUE.")
@detach_option
@json_option
def set_some(app: str, pairs: tuple[str, ...], file: Path | None, detach: bool, as_json: bool) -> None:
    """Set variables of APP. ``KEY=-`` is read from standard input, ``KEY`` alone is asked for: neither is seen by
    whoever lists processes."""
    values = given(pairs, file)
    if not values:
        raise click.UsageError("nothing to set: KEY=VALUE, KEY=-, KEY, or --from FILE")
    _patch(app, {"env": values}, detach, as_json)


@env.command("unset")
@click.argument("app")
@click.argument("keys", nargs=-1, required=True)
@detach_option
@json_option
def unset(app: str, keys: tuple[str, ...], detach: bool, as_json: bool) -> None:
    """Remove variables of APP."""
    _patch(app, {"env": dict.fromkeys(keys)}, detach, as_json)


@click.command()
@click.argument("app")
@click.argument("counts", nargs=-1, required=True, metavar="COUNT | PROCESS=COUNT …")
@detach_option
@json_option
def scale(app: str, counts: tuple[str, ...], detach: bool, as_json: bool) -> None:
    """Change how many replicas run: ``scale APP 3``, ``scale APP worker=2``."""
    client = Client()
    body = {"processes": dict(_count(one) for one in counts), "trigger": "cli"}
    _end(client, client.post(f"/v1/apps/{quoted(app)}/scale", json=body), detach, as_json)


@click.command()
@click.argument("app")
@detach_option
@json_option
def restart(app: str, detach: bool, as_json: bool) -> None:
    """Replace every replica of APP with a new one of the same release."""
    client = Client()
    _end(client, client.post(f"/v1/apps/{quoted(app)}/restart", json={"trigger": "cli"}), detach, as_json)


def _count(text: str) -> tuple[str, int]:
    name, _, number = text.rpartition("=")
    if not number.isdecimal():
        raise click.BadParameter(f"{text!r} is neither a number nor PROCESS=NUMBER")
    return name or "web", int(number)


def _patch(app: str, change: dict[str, Any], detach: bool, as_json: bool) -> None:
    client = Client()
    _end(client, client.patch(f"/v1/apps/{quoted(app)}", json=change), detach, as_json)


def _end(client: Client, view: dict[str, Any], detach: bool, as_json: bool) -> None:
    """A deployment is followed; before the first release there is none."""
    if "number" in view:
        sys.exit(follow(client, view, detach=detach, as_json=as_json))
    show_json(view) if as_json else click.echo(f"{view['name']} has no release yet: its first one will have this.")


commands = [env, scale, restart]
