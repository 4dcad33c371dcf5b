"""``up``, ``down``, ``doctor``: the stack on this machine."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress

import click
import httpx

from longshore.adapters import home
from longshore.adapters.db import SqlDatabase
from longshore.adapters.schema import migrate
from longshore.adapters.supervisor import Supervisor
from longshore.bootstrap import open_services, open_worker_services
from longshore.cli import diagnosis
from longshore.cli.output import json_option, show_json
from longshore.cli.ports import refuse_taken_ports
from longshore.errors import PartDownError
from longshore.services import keys, parts, standing, tokens
from longshore.settings import Settings

READY_WITHIN = 180.0


@click.command()
@click.option("--detach", is_flag=True, help="Run in the background; return when everything is ready.")
def up(detach: bool) -> None:
    """Start the stack; apps that were running run again."""
    settings, supervisor = Settings(), Supervisor(Settings())
    if supervisor.running():
        click.echo(f"The stack {settings.stack} is up already.")
        return _wait_until_ready(settings)
    refuse_taken_ports(settings)
    home.prepare(settings)
    _refuse_other_stack(settings)
    _prepare(settings, supervisor)
    if not detach:
        return supervisor.run()
    supervisor.start()
    return _wait_until_ready(settings)


@click.command()
@click.option("--keep-apps", is_flag=True, help="Leave the router and the apps serving.")
def down(keep_apps: bool) -> None:
    """Stop the stack, and say which apps go off line."""
    settings = Settings()
    Supervisor(settings).stop()
    try:
        with open_worker_services(settings) as services:
            stopped = standing.stop(services, keep_apps=keep_apps)
    except PartDownError as error:
        click.echo(f"The stack's processes are stopped. Its containers were not looked at: {error.message}.")
        return
    if stopped:
        click.echo(f"Off line now: {', '.join(stopped)}. `longshore up` brings them back.")
    click.echo(f"The stack {settings.stack} is down." + (" Its apps go on serving." if keep_apps else ""))


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Look at every part, and say what is wrong and what to do."""
    findings = diagnosis.look(Settings())
    if as_json:
        show_json([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            _tell(finding)
    if any(finding.problem for finding in findings):
        sys.exit(1)


def _tell(finding: diagnosis.Finding) -> None:
    if finding.problem is None:
        click.echo(f"{click.style('fine ', fg='green')} {finding.part:<13} {finding.fact}")
        return
    click.echo(f"{click.style('wrong', fg='red')} {finding.part:<13} {finding.problem}")
    if finding.hint:
        click.echo(f"                    {finding.hint}")


def _refuse_other_stack(settings: Settings) -> None:
    """A stack of this name with another home; an engine that is down is no reason not to start."""
    with open_worker_services(settings) as services, suppress(PartDownError):
        services.parts.refuse_others()


def _prepare(settings: Settings, supervisor: Supervisor) -> None:
    database = SqlDatabase(settings.database)
    migrate(database)
    database.close()
    with open_services(settings) as services:
        keys.prove(services)
        parts.forget(services)
        kept = home.admin_token(settings)
        if kept is None or not tokens.valid(services, kept):
            home.keep_admin_token(settings, tokens.renew(services, "admin"))
    supervisor.write_config()


def _wait_until_ready(settings: Settings) -> None:
    """Say which parts are missing while they are; give up with their own words."""
    url, until, said = f"http://127.0.0.1:{settings.port}/readyz", time.monotonic() + READY_WITHIN, ""
    tell: Callable[[str], None] = lambda text: click.echo(f"  waiting for {text}")  # noqa: E731
    with httpx.Client(trust_env=False, timeout=5) as client:
        while time.monotonic() < until:
            missing = _missing(client, url)
            if not missing:
                click.echo(f"The stack {settings.stack} is ready: http://127.0.0.1:{settings.port}")
                return
            if (text := ", ".join(missing)) != said:
                said = text
                tell(text)
            time.sleep(0.1)
    raise PartDownError(
        "stack",
        f"the stack is not ready after {READY_WITHIN:g} s: {said}",
        hint=f"`longshore doctor` looks at every part; the logs are in {settings.root / 'logs'}.",
    )


def _missing(client: httpx.Client, url: str) -> list[str]:
    try:
        answer = client.get(url)
        return [part["name"] for part in answer.json()["parts"] if not part["ok"]]
    except (httpx.HTTPError, ValueError, KeyError):
        return ["web"]


commands = [up, down, doctor]
