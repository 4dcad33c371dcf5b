"""``queue``: what runs, what waits and why; ``lock`` and ``unlock``: holding an app's deployments back."""

from typing import Any

import click

from longshore.cli.client import Client, quoted
from longshore.cli.output import json_option, show_json, show_table
from longshore.cli.words import end_of, lock_of, span

COLUMNS = ("deployment", "state", "job", "for", "left", "by", "position", "why")


@click.command()
@json_option
def queue(as_json: bool) -> None:
    """What runs, and what waits and why, of all apps."""
    found = Client().all("/v1/queue")
    if as_json:
        return show_json(found)
    return show_table(COLUMNS, [_row(one) for one in found], "Nothing runs and nothing waits.")


@click.command()
@click.argument("app")
@click.argument("reason")
@click.option("--wait", is_flag=True, help="Accept new deployments and let them wait; default: refuse them.")
@click.option("--for", "length", help="How long, such as 30m, 2h or 1d; default: until it is lifted.")
@click.option("--until", help="The instant it ends, with its zone: 2030-01-31T14:00Z.")
@json_option
def lock(app: str, reason: str, wait: bool, length: str | None, until: str | None, as_json: bool) -> None:
    """Hold the deployments of APP back, and say why. What runs goes on."""
    end = end_of(length, until)
    body = {"reason": reason, "mode": "wait" if wait else "refuse", **({"until": end} if end else {})}
    view = Client().post(f"/v1/apps/{quoted(app)}/lock", json=body)
    show_json(view) if as_json else click.echo(f"{view['name']} is {lock_of(view)}")


@click.command()
@click.argument("app")
@json_option
def unlock(app: str, as_json: bool) -> None:
    """Lift the lock of APP; what waited for it begins."""
    view = Client().delete(f"/v1/apps/{quoted(app)}/lock")
    show_json(view) if as_json else click.echo(f"{view['name']} is not locked.")


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    waiting = one["waiting"]
    return (
        one["deployment"],
        one["phase"] or one["state"],
        one["job"],
        span(one["elapsed_seconds"]),
        span(one["estimate_seconds"]),
        f"{one['trigger']} {one['actor']}",
        waiting["position"] if waiting else None,
        one["why"],
    )


commands = [queue, lock, unlock]
