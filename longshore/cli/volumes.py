"""``volumes`` and ``volume remove``: what an app keeps, and taking it away by name."""

from urllib.parse import quote

import click

from longshore.cli.client import Client, quoted
from longshore.cli.output import json_option, show_json, show_table, when


@click.command()
@click.argument("app")
@json_option
def volumes(app: str, as_json: bool) -> None:
    """The volumes of an app, also of one that was deleted."""
    found = Client().all(f"/v1/apps/{quoted(app)}/volumes")
    if as_json:
        return show_json(found)
    rows = [
        (one["name"], one["state"], one["engine_name"], when(one["created_at"]), ", ".join(one["used_by"]))
        for one in found
    ]
    return show_table(("volume", "state", "in the engine", "made (UTC)", "used by"), rows, f"{app} has no volumes.")


@click.group()
def volume() -> None:
    """One volume of an app."""


@volume.command()
@click.argument("app")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def remove(app: str, name: str, yes: bool, as_json: bool) -> None:
    """Remove the volume NAME of APP, with all that is in it."""
    if not yes:
        click.confirm(f"Remove the volume {name} of {app}? All that is in it is lost", abort=True)
    named = quote(quoted(name), safe="")
    view = Client().delete(f"/v1/apps/{quoted(app)}/volumes/{named}?confirm={named}")
    show_json(view) if as_json else click.echo(f"The volume {name} of {app} is being removed.")


commands = [volumes, volume]
