"""``cancel`` and ``rollback``: stopping what is under way, and going back."""

import sys
from typing import Any

import click

from longshore.cli.client import Client, quoted
from longshore.cli.follow import follow
from longshore.cli.output import json_option, show_json
from longshore.cli.plans import show_plan

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
@click.option("--plan", is_flag=True, help="Tell what would be done and what would change, and do nothing.")
@click.option("--as-planned", "plan_hash", help="The hash of a plan: refused unless it is still this plan.")
@json_option
def rollback(
    app: str, release: int | None, force: bool, detach: bool, plan: bool, plan_hash: str | None, as_json: bool
) -> None:
    """Put an older RELEASE into service (default: the last good one before the live one), and follow."""
    client, path = Client(), f"/v1/apps/{quoted(app)}/rollback"
    body = {"release": release, "force": force, "trigger": "cli", "plan_hash": plan_hash}
    if plan:
        told = client.post(f"{path}?plan=true", json=body)
        return show_json(told) if as_json else show_plan(told)
    view = client.post(path, json=body)
    if not as_json:
        _tell_changes(view["changes"])
    sys.exit(follow(client, view, detach=detach, as_json=as_json))


def _tell_changes(changes: dict[str, Any]) -> None:
    """Which fields and variables get other values; to standard error, for the answer is the deployment."""
    env = [f"{key} ({how})" for how in ("added", "changed", "removed") for key in changes["env"][how]]
    for what, names in (("configuration", changes["config"]), ("environment", env)):
        if names:
            click.echo(f"{what} goes back: {', '.join(names)}", err=True)


def _under_way(client: Client, app: str) -> int:
    found = client.all(f"/v1/apps/{app}/deployments", limit=50)
    for state in UNDER_WAY:
        for one in found:
            if one["state"] == state:
                return int(one["number"])
    raise click.ClickException(f"{app} has no deployment that waits or runs")


commands = [cancel, rollback]
