"""``why``: why a deployment waits, or why it failed."""

import click

from longshore.cli.client import Client, quoted
from longshore.cli.digest import show_digest
from longshore.cli.output import error_of, json_option, show_json
from longshore.cli.words import wait_of


@click.command()
@click.argument("app")
@click.argument("number", type=int, required=False)
@json_option
def why(app: str, number: int | None, as_json: bool) -> None:
    """Why a deployment (default: the latest) waits, or why it failed."""
    client, name = Client(), quoted(app)
    number = number or _latest(client, name)
    view = client.get(f"/v1/apps/{name}/deployments/{number}")
    if as_json:
        return show_json(view)
    click.echo(f"{view['id']} {view['state']}" + (f": {view['why']}" if view["why"] else ""))
    if view["waiting"]:
        click.echo(wait_of(view))
    error_of(view)
    return show_digest(view)


def _latest(client: Client, app: str) -> int:
    found = client.all(f"/v1/apps/{app}/deployments", limit=1)
    if not found:
        raise click.ClickException(f"{app} has no deployments yet")
    return int(found[0]["number"])


commands = [why]
