"""``releases``: looking, and marking those that nobody may go back to."""

from typing import Any

import click

from longshore.cli.client import Client, quoted
from longshore.cli.output import json_option, show_json, show_table, when


class Releases(click.Group):
    """``releases APP`` looks; ``releases block`` and ``unblock`` change."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """What is no verb is the name of an app."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["list", *args])


@click.group(cls=Releases)
def releases() -> None:
    """The releases of an app: ``releases APP``, ``releases block APP N REASON``, ``releases unblock APP N``."""


@releases.command("list")
@click.argument("app")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@json_option
def list_all(app: str, limit: int, as_json: bool) -> None:
    """The releases of an app, newest first, and which can be gone back to."""
    found = Client().all(f"/v1/apps/{quoted(app)}/releases", limit=limit)
    if as_json:
        return show_json(found)
    columns = ("release", "", "image", "digest", "made (UTC)", "rollback")
    return show_table(columns, [_row(one) for one in found], f"{app} has no releases yet.")


@releases.command()
@click.argument("app")
@click.argument("number", type=int)
@click.argument("reason")
@json_option
def block(app: str, number: int, reason: str, as_json: bool) -> None:
    """Let nobody roll back to release NUMBER of APP, and say why."""
    view = Client().put(f"/v1/apps/{quoted(app)}/releases/{number}/block", json={"reason": reason})
    show_json(view) if as_json else click.echo(f"Nobody goes back to release {number} of {app}: {reason}")


@releases.command()
@click.argument("app")
@click.argument("number", type=int)
@json_option
def unblock(app: str, number: int, as_json: bool) -> None:
    """One may roll back to release NUMBER of APP again."""
    view = Client().delete(f"/v1/apps/{quoted(app)}/releases/{number}/block")
    show_json(view) if as_json else click.echo(f"Release {number} of {app} is not blocked.")


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    back = one["rollback"]
    return (
        one["number"],
        "live" if one["live"] else "",
        one["image"],
        (one["digest"] or "")[:19],
        when(one["created_at"]),
        "possible" if back["possible"] else "" if one["live"] else back["why"],
    )


commands = [releases]
