"""The digest of a failure, for people."""

from collections.abc import Iterator
from typing import Any

import click

FAULTS = {"app": "the app's own fault", "request": "the request's fault", "platform": "not the app's fault"}


def show_digest(view: dict[str, Any]) -> None:
    """What is known of a failed deployment: the cause first, then what speaks for it."""
    digest = view.get("digest")
    if digest is None:
        return
    for line in _lines(view["id"], digest):
        click.echo(line, err=True)


def _lines(label: str, digest: dict[str, Any]) -> Iterator[str]:
    where = f"{digest['job']} of {label}" if digest["job"] else label
    yield ""
    yield click.style(f"{where} failed ({digest['code']}, {FAULTS.get(digest['fault'], digest['fault'])})", bold=True)
    if digest["step"]:
        yield f"  step     {digest['step']}"
    if digest["cause"]:
        yield click.style(f"  likely   {digest['cause']}", fg="yellow")
    for line in _changes(digest["changes"]):
        yield f"  {line}"
    for replica in digest["replicas"]:
        yield from _replica(replica)
    if digest["log"]:
        yield "  its last lines:"
        yield from _quoted(digest["log"])
    if digest["partial"]:
        yield "  The container engine did not answer: there may be more to know."


def _changes(changes: dict[str, Any] | None) -> Iterator[str]:
    """Against the last good release."""
    if changes is None:
        yield "changed  nothing to compare with: no release was good before"
        return
    told = [*_pairs(changes), *_names(changes)]
    since = f"since release {changes['release']}, the last good one"
    if not told:
        yield f"changed  no setting {since}"
    for line in told[:1]:
        yield f"changed  {line} ({since})"
    for line in told[1:]:
        yield f"         {line}"


def _pairs(changes: dict[str, Any]) -> Iterator[str]:
    for key, word in (("commit", "commit"), ("image", "image"), ("base_image", "base image")):
        if pair := changes[key]:
            yield f"{word} {pair['before']} → {pair['now']}"


def _names(changes: dict[str, Any]) -> Iterator[str]:
    for verb, keys in changes["env"].items():
        if keys:
            yield f"env {verb}: {', '.join(keys)}"
    if changes["config"]:
        yield f"config: {', '.join(changes['config'])}"


def _replica(replica: dict[str, Any]) -> Iterator[str]:
    yield f"  {replica['name']} {_standing(replica)}"
    for probe in replica["probes"]:
        answer = probe["status"] or probe["problem"] or "no answer"
        yield click.style(f"    {probe['at'][11:23]}  probe: {answer}, {probe['seconds'] * 1000:.0f} ms", dim=True)
    if replica["output"]:
        yield "    its last lines:"
        yield from _quoted(replica["output"])


def _standing(replica: dict[str, Any]) -> str:
    if replica["running"] is None:
        return "has no container"
    if not replica["running"]:
        killed = ", killed for its memory" if replica["out_of_memory"] else ""
        return f"ended with exit code {replica['exit_code']}{killed}"
    ports = [f"{one['port']}{' (loopback only)' if one['loopback_only'] else ''}" for one in replica["listens"]]
    return f"runs, asked on port {replica['port']}, listens on {', '.join(ports) or 'no port'}"


def _quoted(lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield click.style("    │ ", dim=True) + line
