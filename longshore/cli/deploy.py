"""``longshore deploy``."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import click

from longshore.cli import project
from longshore.cli.client import ApiError, Client
from longshore.cli.follow import follow
from longshore.cli.output import json_option, show_json
from longshore.cli.plans import show_plan


@click.command()
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--app", help="Name of the app; default: longshore.toml, else the folder's name.")
@click.option("--image", help="Deploy this image instead of a folder.")
@click.option("--git", "git_url", help="Deploy this repository instead of a folder.")
@click.option("--ref", help="Branch, tag or commit of that repository.")
@click.option("--release", type=int, help="Deploy an older release again.")
@click.option("--detach", is_flag=True, help="Do not follow: print the deployment and leave.")
@click.option("--plan", is_flag=True, help="Tell what would be done and what would change, and do nothing.")
@click.option("--as-planned", "plan_hash", help="The hash of a plan: refused unless it is still this plan.")
@json_option
def deploy(
    folder: Path,
    app: str | None,
    image: str | None,
    git_url: str | None,
    ref: str | None,
    release: int | None,
    detach: bool,
    plan: bool,
    plan_hash: str | None,
    as_json: bool,
) -> None:
    """Upload FOLDER (or name a source), and follow the jobs to the end.

    Exits with 0 only when the deployment succeeded. Ctrl-C stops following, not deploying.
    """
    declared = project.read(folder)
    name = project.name_of(folder, declared, app)
    client = Client()
    source = _source(image, git_url, ref, release)
    body = _body(declared, source, plan_hash)
    if plan:
        told = _plan(client, name, body, upload=source is None)
        return show_json(told) if as_json else show_plan(told)
    with ExitStack() as stack:
        archive = stack.enter_context(_packed(folder, declared)) if source is None else None
        _make_app(client, name, declared)
        view = _send(client, name, body, archive)
    sys.exit(follow(client, view, detach=detach, as_json=as_json))


def _body(declared: project.Project, source: dict[str, Any] | None, plan_hash: str | None) -> dict[str, Any]:
    """What is asked for; without a source it goes along with an upload."""
    body: dict[str, Any] = {"trigger": "cli", **(source or {}), **({"plan_hash": plan_hash} if plan_hash else {})}
    if source is None or "release" not in source:  # an older release comes with its own configuration
        body["config"] = declared.config()
    return body


def _plan(client: Client, name: str, body: dict[str, Any], *, upload: bool) -> dict[str, Any]:
    """Nothing is made and nothing sent for it, so it takes an app that is there."""
    path = f"/v1/apps/{name}/deployments?plan=true"
    if upload:
        return dict(client.post(path, files={"spec": (None, json.dumps(body))}))
    return dict(client.post(path, json=body))


def _source(image: str | None, git_url: str | None, ref: str | None, release: int | None) -> dict[str, Any] | None:
    """The body of a deployment without an upload; ``None``: the folder is the source."""
    chosen: list[dict[str, Any]] = []
    if image:
        chosen.append({"source": {"image": image}})
    if git_url:
        chosen.append({"source": {"git": {"url": git_url, **({"ref": ref} if ref else {})}}})
    if release:
        chosen.append({"release": release})
    if len(chosen) > 1:
        raise click.UsageError("--image, --git and --release exclude each other")
    return chosen[0] if chosen else None


def _make_app(client: Client, name: str, declared: project.Project) -> None:
    """An app that is missing is made; one that is there is left alone."""
    try:
        client.get(f"/v1/apps/{name}")
    except ApiError as error:
        if error.code != "not_found":
            raise
        client.post("/v1/apps", json={"name": name, **declared.of_the_app()})


@contextmanager
def _packed(folder: Path, declared: project.Project) -> Iterator[BinaryIO]:
    """The folder as an archive: packed before anything is asked for, so that a bad one leaves nothing behind."""
    with TemporaryDirectory() as scratch:
        archive = Path(scratch) / "source.tar"
        project.pack(folder, archive, declared)
        with archive.open("rb") as file:
            yield file


def _send(client: Client, name: str, body: dict[str, Any], archive: BinaryIO | None) -> dict[str, Any]:
    path = f"/v1/apps/{name}/deployments"
    if archive is None:
        return dict(client.post(path, json=body))
    files = {"source": (f"{name}.tar", archive, "application/x-tar")}
    return dict(client.post(path, files=files, data={"spec": json.dumps(body)}))


commands = [deploy]
