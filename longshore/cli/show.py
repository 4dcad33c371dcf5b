"""``apps``, ``status``, ``logs``, ``deployments``: looking; and ``delete``."""

import click

from longshore.cli.client import Client, quoted
from longshore.cli.digest import show_digest
from longshore.cli.follow import Follower, conclude
from longshore.cli.output import error_of, json_option, show_json, show_table, when
from longshore.cli.words import address_of, lock_of, processes_of, wait_of, where


@click.command()
@json_option
def apps(as_json: bool) -> None:
    """All apps."""
    found = Client().all("/v1/apps")
    if as_json:
        return show_json(found)
    rows = [(app["name"], app["state"], app["release"], processes_of(app), app["url"]) for app in found]
    return show_table(("app", "state", "release", "replicas", "url"), rows, "There are no apps yet.")


@click.command()
@click.argument("app")
@json_option
def status(app: str, as_json: bool) -> None:
    """One app: its lock, its replicas, its latest deployment, and why that waits if it does."""
    client, name = Client(), quoted(app)
    facts = client.get(f"/v1/apps/{name}")
    replicas = client.all(f"/v1/apps/{name}/replicas")
    latest = client.all(f"/v1/apps/{name}/deployments", limit=1)
    if as_json:
        return show_json({"app": facts, "replicas": replicas, "latest_deployment": latest[0] if latest else None})
    click.echo(f"{facts['name']} is {facts['state']}, release {facts['release'] or '-'}, {where(facts['url'])}")
    if facts["maintenance"]:
        click.echo(f"in maintenance: {facts['maintenance']}")
    click.echo(f"processes: {processes_of(facts)}")
    click.echo(f"{lock_of(facts)}\n" if facts["lock"] else "")
    rows = [
        (one["name"], one["process"], one["state"], one["release"], address_of(one), "live" if one["live"] else "")
        for one in replicas
    ]
    show_table(("replica", "process", "state", "release", "address", ""), rows, "Nothing is running.")
    for one in latest:
        click.echo(f"\n{one['id']} {one['state']}" + (f": {one['why']}" if one["why"] else ""))
        if one["waiting"]:
            click.echo(wait_of(one))
        show_table(
            ("job", "state", "attempt", "waits for"),
            [(job["kind"], job["state"], job["attempt"], job["waiting"]) for job in one["jobs"]],
            "",
        )
        error_of(one)
        if one["state"] == "failed":
            show_digest(client.get(f"/v1/apps/{name}/deployments/{one['number']}"))
    return None


@click.command()
@click.argument("app")
@click.argument("number", type=int, required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on until the deployment has ended.")
@json_option
def logs(app: str, number: int | None, follow: bool, as_json: bool) -> None:
    """The log of a deployment (default: the latest)."""
    client, name = Client(), quoted(app)
    number = number or _latest(client, name)
    path = f"/v1/apps/{name}/deployments/{number}"
    if as_json:
        show_json(client.all(f"{path}/logs"))
    elif follow:
        raise click.exceptions.Exit(conclude(Follower(client, name, number).to_the_end()))
    else:
        for text in client.text(f"{path}/logs"):
            click.echo(text, nl=False)


@click.command()
@click.argument("app")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@json_option
def deployments(app: str, limit: int, as_json: bool) -> None:
    """The deployments of an app, newest first."""
    found = Client().all(f"/v1/apps/{quoted(app)}/deployments", limit=limit)
    if as_json:
        return show_json(found)
    rows = [
        (one["id"], one["state"], one["release"], one["trigger"], when(one["created_at"]), _remark(one))
        for one in found
    ]
    columns = ("deployment", "state", "release", "trigger", "created (UTC)", "")
    return show_table(columns, rows, f"{app} has no deployments yet.")


@click.command()
@click.argument("app")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(app: str, yes: bool) -> None:
    """Take an app out of service for good, with all its containers."""
    client, name = Client(), quoted(app)
    client.get(f"/v1/apps/{name}")
    if not yes:
        click.confirm(f"Delete {name}? It goes off line at once", abort=True)
    kept = client.delete(f"/v1/apps/{name}")["kept_volumes"]
    click.echo(f"{name} is off line; its containers are being removed.")
    if kept:
        click.echo(f"Its volumes are kept: {', '.join(kept)}. `longshore volume remove {name} NAME` removes one.")


def _latest(client: Client, app: str) -> int:
    found = client.all(f"/v1/apps/{app}/deployments", limit=1)
    if not found:
        raise click.ClickException(f"{app} has no deployments yet")
    return int(found[0]["number"])


def _remark(deployment: dict[str, object]) -> object:
    error = deployment["error"]
    return error["message"] if isinstance(error, dict) else deployment["why"]


commands = [apps, status, logs, deployments, delete]
