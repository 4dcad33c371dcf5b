"""``maintenance``: answering for an app while it is worked on."""

import click

from longshore.cli.client import Client, quoted
from longshore.cli.output import json_option, show_json

MESSAGE = "We are working on it. Please come back in a while."


@click.command()
@click.argument("app")
@click.argument("switch", type=click.Choice(["on", "off"]), metavar="on|off")
@click.argument("message", default=MESSAGE)
@json_option
def maintenance(app: str, switch: str, message: str, as_json: bool) -> None:
    """Answer 503 and MESSAGE to everybody instead of APP, or let it answer again. What runs goes on."""
    view = Client().patch(f"/v1/apps/{quoted(app)}", json={"maintenance": message if switch == "on" else None})
    told = f"is in maintenance: {view['maintenance']}" if view["maintenance"] else "answers for itself."
    show_json(view) if as_json else click.echo(f"{view['name']} {told}")


commands = [maintenance]
