"""``cancel`` and ``rollback``: stopping what is under way, and going back."""

import sys

import click

from longshore.cli.client import Client, quoted
from longshore.cli.follow import Follower, conclude
from longshore.cli.output import json_option, show_json

UNDER_WAY = ("running", "queued")


@click.command()
@click.argument("app")
@click.argument("number", type=int, required=False)
@json_option
def cancel(app: str, number: int | None, as_json: bool) -> None:
    """Cancel a deployment (default: the one that runs, else the newest that waits), and say what that means."""
    client, name = Client(), quoted(app)
    number = number or _under_way(client, name)
    view = client.post(f"/v1/apps/{name}/deployments/{number}/cancel", json={})
    show_json(view) if as_json else click.echo(view["cancel"]["meaning"])


@click.command()
@click.argument("app")
@click.argument("release", type=int, required=False)
@click.option("--force", is_flag=True, help="Go past a lock.")
@click.option("--detach", is_flag=True, help="Do not follow: print the deployment and leave.")
@json_option
def rollback(app: str, release: int | None, force: bool, detach: bool, as_json: bool) -> None:
    """Put an older RELEASE into service (default: the last good one before the live one), and follow."""
    client, name = Client(), quoted(app)
    body = {"release": release, "force": force, "trigger": "cli"}
    view = client.post(f"/v1/apps/{name}/rollback", json=body)
    if detach:
        return show_json(view) if as_json else click.echo(view["id"])
    last = Follower(client, view["app"], view["number"], quiet=as_json).to_the_end()
    if as_json:
        show_json(last)
    sys.exit((0 if last["state"] == "succeeded" else 1) if as_json else conclude(last))


def _under_way(client: Client, app: str) -> int:
    found = client.all(f"/v1/apps/{app}/deployments", limit=50)
    for state in UNDER_WAY:
        for one in found:
            if one["state"] == state:
                return int(one["number"])
    raise click.ClickException(f"{app} has no deployment that waits or runs")


commands = [cancel, rollback]
