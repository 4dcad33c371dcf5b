"""``longshore token``."""

import click

from longshore.cli.client import Client, quoted
from longshore.cli.output import json_option, show_json, show_table, when


@click.group()
def token() -> None:
    """Keys to the API."""


@token.command()
@click.argument("name")
@click.option("--scope", type=click.Choice(["read", "deploy", "admin"]), required=True)
@click.option("--app", help="Only for this app.")
@click.option("--days", type=int, help="Valid for so many days; default: until revoked.")
@json_option
def create(name: str, scope: str, app: str | None, days: int | None, as_json: bool) -> None:
    """Make a token; its text is shown this once."""
    body = {"name": name, "scope": scope, "app": app, "days": days}
    made = Client().post("/v1/tokens", json={key: value for key, value in body.items() if value is not None})
    if as_json:
        return show_json(made)
    click.echo(made["token"])
    return click.echo("Keep it: it is not shown again.", err=True)


@token.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """All tokens, without their secrets."""
    found = Client().all("/v1/tokens")
    if as_json:
        return show_json(found)
    rows = [
        (one["name"], one["scope"], one["app"] or "all", when(one["expires_at"]) or "never", when(one["last_used_at"]))
        for one in found
    ]
    return show_table(("token", "scope", "apps", "expires", "last used (UTC)"), rows, "There are no tokens.")


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """From now on it opens nothing."""
    Client().delete(f"/v1/tokens/{quoted(name)}")
    click.echo(f"{name} is revoked.")


commands = [token]
