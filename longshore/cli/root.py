"""The command's root: what verbs there are, and how an error ends."""

import sys
from importlib import import_module

import click

from longshore import __version__
from longshore.errors import LongshoreError

# Verb → the room it is in. A room is opened when its verb is used: the process verbs bring half the house along.
ROOMS = {
    "deploy": "deploy",
    "apps": "show",
    "status": "show",
    "why": "why",
    "logs": "show",
    "deployments": "show",
    "releases": "releases",
    "run": "run",
    "cancel": "steer",
    "rollback": "steer",
    "env": "configure",
    "scale": "configure",
    "restart": "configure",
    "delete": "show",
    "volumes": "volumes",
    "volume": "volumes",
    "queue": "queue",
    "lock": "queue",
    "unlock": "queue",
    "maintenance": "traffic",
    "token": "tokens",
    "up": "stack",
    "down": "stack",
    "doctor": "stack",
    "serve": "processes",
    "worker": "processes",
    "beat": "processes",
    "flower": "processes",
    "migrate": "processes",
}


class Verbs(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, users' first."""
        return list(ROOMS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb."""
        if cmd_name not in ROOMS:
            return None
        commands: list[click.Command] = import_module(f"longshore.cli.{ROOMS[cmd_name]}").commands
        return next(command for command in commands if command.name == cmd_name)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="longshore")
def cli() -> None:
    """Build, push, deploy, health-check and watch containers."""


def main() -> None:
    """Run; an error is a sentence and a hint, never a traceback."""
    try:
        sys.exit(cli(standalone_mode=False))
    except LongshoreError as error:
        click.secho(f"error: {error.message}", fg="red", err=True)
        if error.hint:
            click.echo(f"       {error.hint}", err=True)
        sys.exit(2 if error.status < 500 else 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
