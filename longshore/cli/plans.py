"""A plan in words: what would be done, and what would change."""

from typing import Any

import click


def show_plan(plan: dict[str, Any]) -> None:
    """For people; the hash last, to be sent back."""
    live = f"release {plan['live']} is live" if plan["live"] else "nothing is live yet"
    click.secho(f"{plan['app']}: {live}; nothing has been done", bold=True)
    if plan["declared_only"]:
        click.echo("  it would only be declared")
    else:
        click.echo(f"  jobs      {' → '.join(job['kind'] for job in plan['jobs'])}")
        _strategy(plan["strategy"])
    _change("image", plan["image"])
    for field, change in plan["config"].items():
        _change(field, change)
    for key, change in plan["env"].items():
        _change(f"env {key}", change)
    _around(plan)
    click.echo(f"  plan hash {plan['plan_hash']}")


def _strategy(strategy: dict[str, Any]) -> None:
    because = f", because {strategy['reason']}" if strategy["reason"] else ""
    click.echo(f"  strategy  {strategy['kind']}{because}")
    for stage in strategy["stages"]:
        click.echo(f"            {stage}")


def _change(name: str, change: dict[str, Any]) -> None:
    """Both sides of what differs; one that stays is not worth a line."""
    if change["old"] != change["new"]:
        click.echo(f"  {name}: {_side(change['old'])} → {_side(change['new'])}")


def _side(value: Any) -> str:
    return "-" if value is None else str(value)


def _around(plan: dict[str, Any]) -> None:
    for words, found in (
        ("would supersede", plan["supersedes"]),
        ("would cancel", plan["cancels"]),
        ("would join", [plan["joins"]] if plan["joins"] else []),
        ("would wait for", plan["waits_for"]),
    ):
        if found:
            click.secho(f"  {words} {'; '.join(found)}", fg="yellow")
