"""Following a deployment: each job as it goes, the log's lines, and how it ended."""

from datetime import datetime
from typing import Any

import click

from longshore.cli.client import Client
from longshore.cli.digest import show_digest
from longshore.cli.output import error_of, show_json
from longshore.cli.words import where

MARKS = {"succeeded": ("✓", "green"), "failed": ("✗", "red"), "cancelled": ("-", "yellow"), "skipped": ("-", "yellow")}


class Follower:
    """Prints what is new. Ctrl-C ends the following, not the deployment."""

    def __init__(self, client: Client, app: str, number: int, *, quiet: bool = False) -> None:
        self._client = client
        self._path = f"/v1/apps/{app}/deployments/{number}"
        self._label = f"{app}#{number}"
        self._quiet = quiet
        self._told: set[tuple[str, str, int]] = set()
        self._begun: dict[str, int] = {}
        self._why: str | None = None

    def to_the_end(self) -> dict[str, Any]:
        """Follow until the deployment itself has ended; its last view."""
        view: dict[str, Any] = {}
        for event in self._client.events(f"{self._path}/logs"):
            if event.kind == "log":
                self._lines(event.data)
            elif event.kind == "deployment":
                view = event.data
                self._news(view)
                if view["ended_at"] is not None:
                    break
        return view or dict(self._client.get(self._path))

    def _lines(self, chunk: dict[str, Any]) -> None:
        if not self._quiet:
            self._begin(chunk["job"], 1)
            margin = click.style(f"{chunk['job']:>12} │", dim=True)
            for line in chunk["text"].splitlines():
                click.echo(f"{margin} {line}")

    def _news(self, view: dict[str, Any]) -> None:
        if self._quiet:
            return
        if view["why"] and view["why"] != self._why:
            click.secho(f"{self._label} {view['why']}", fg="yellow")
        self._why = view["why"]
        for job in view["jobs"]:
            mark = (job["kind"], job["state"], job["attempt"])
            if mark not in self._told and job["state"] != "queued":
                self._told.add(mark)
                self._job(job)

    def _begin(self, kind: str, attempt: int) -> None:
        """The heading of a job, once per attempt: its first line may come before the news that it runs."""
        if self._begun.get(kind, 0) < attempt:
            self._begun[kind] = attempt
            click.secho(f"▸ {kind}" + (f" (attempt {attempt})" if attempt > 1 else ""), fg="cyan")

    def _job(self, job: dict[str, Any]) -> None:
        if job["state"] == "running":
            self._begin(job["kind"], job["attempt"])
            return
        sign, colour = MARKS.get(job["state"], ("·", "white"))
        click.secho(f"{sign} {job['kind']} {job['state']}{_took(job)}", fg=colour)


def conclude(view: dict[str, Any]) -> int:
    """Say how it ended; the exit code: 0 only for a success."""
    if view["state"] == "succeeded":
        click.secho(f"{view['id']} succeeded: release {view['release']} is live {where(view['url'])}", fg="green")
        return 0
    click.secho(f"{view['id']} {view['state']}", fg="red", err=True)
    error_of(view)
    show_digest(view)
    return 1


def follow(client: Client, view: dict[str, Any], *, detach: bool, as_json: bool) -> int:
    """From a deployment just begun to its end, unless nobody wants to wait; the exit code."""
    if detach:
        show_json(view) if as_json else click.echo(view["id"])
        return 0
    try:
        last = Follower(client, view["app"], view["number"], quiet=as_json).to_the_end()
    except KeyboardInterrupt:
        click.echo(f"\n{view['id']} goes on; see it with `longshore status {view['app']}`", err=True)
        return 130
    if as_json:
        show_json(last)
        return 0 if last["state"] == "succeeded" else 1
    return conclude(last)


def _took(job: dict[str, Any]) -> str:
    if not job["started_at"] or not job["ended_at"]:
        return ""
    seconds = datetime.fromisoformat(job["ended_at"]) - datetime.fromisoformat(job["started_at"])
    return f" in {seconds.total_seconds():.2f} s"
