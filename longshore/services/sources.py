"""From a source to a build context: fetched or unpacked into a clean folder, with a Dockerfile in it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshore.domain.dockerfile import BaseImages, write_dockerfile
from longshore.domain.procfile import Procfile
from longshore.domain.specs import Build
from longshore.errors import AppError, LongshoreError
from longshore.services.work import Work

DEFAULT_DOCKERFILE = "Dockerfile"
_SYNTAX = re.compile(r"^\s*#\s*syntax\s*=\s*(\S+)\s*$", re.IGNORECASE)
_DIRECTIVE = re.compile(r"^\s*#\s*[A-Za-z]+\s*=")
_CACHE_MOUNT = re.compile(r"--mount=type=cache,\S+ ")
FRONTEND_DEADLINE = 10.0


@dataclass(frozen=True)
class Prepared:
    """A context ready for the builder."""

    tar: Path
    dockerfile: str
    written: str | None  # the text of the Dockerfile, when we wrote it
    frontend: bool  # whether it asks for a frontend of its own
    commit: str | None
    procfile: Procfile | None


def prepare(work: Work, source: dict[str, Any], build: Build, folder: Path) -> Prepared:
    """The build context of a source, in ``folder``; ``AppError`` when there is nothing to build."""
    whole, commit = _whole_tree(work, source, folder)
    name, text, written = _dockerfile(work, whole, build)
    replaced = _without_syntax(work, text)
    context = folder / "context.tar"
    replace = {name: replaced.encode()} if written or replaced != text else {}
    work.worker.files.context(whole, context, below=build.context, dockerfile=name, replace=replace)
    asks = replaced == text and _syntax_line(text) is not None
    procfile = Procfile.of(work.worker.files.tree(whole, build.context))
    if procfile is not None:
        work.log.write(f"the source has a Procfile: {', '.join(procfile.commands)}")
    return Prepared(context, name, text if written else None, asks, commit, procfile)


def _whole_tree(work: Work, source: dict[str, Any], folder: Path) -> tuple[Path, str | None]:
    files = work.worker.files
    if "upload" in source:
        return files.upload(source["upload"]), None
    checkout, tar = folder / "checkout", folder / "source.tar"
    git = {**source["git"], "url": _real_url(work, source)}
    work.log.write(f"fetching {git.get('ref') or 'HEAD'}")
    commit = work.worker.git.fetch(git["url"], git.get("ref"), checkout, on_line=work.tell, stopped=work.stopped)
    work.log.write(f"at commit {commit}")
    files.pack(checkout, tar)
    return tar, commit


def _real_url(work: Work, source: dict[str, Any]) -> str:
    """The URL with its login, where it has one."""
    with work.worker.db.read() as session:
        sealed = work.deployment(session).sealed_source
    return work.worker.box.open(sealed)["url"] if sealed else str(source["git"]["url"])


def _dockerfile(work: Work, tar: Path, build: Build) -> tuple[str, str, bool]:
    """Its name, its text, and whether it is one that we wrote."""
    tree = work.worker.files.tree(tar, build.context)
    name = build.dockerfile or DEFAULT_DOCKERFILE
    text = tree.read_text(name)
    if text is not None:
        return name, text, False
    if tree.is_link(name):
        raise AppError(f"{name} is a symbolic link", code="bad_build_path", hint="Put the file itself there.")
    if build.dockerfile:
        raise AppError(
            f"the source has no {build.dockerfile} in {build.context!r}",
            code="no_dockerfile",
            hint="build.dockerfile is relative to build.context, and .dockerignore is honoured.",
        )
    settings = work.worker.settings
    images = BaseImages(python=settings.python_image, node=settings.node_image, static=settings.static_image)
    written = write_dockerfile(tree, images)
    work.log.write(f"the source has no Dockerfile, so one was written: {', '.join(written.reasons)}")
    _need_base_image(work, written.base_image)
    return name, _without_mounts(work, written.text), True


def _without_mounts(work: Work, text: str) -> str:
    """The classic builder knows no cache mounts; what we wrote must build there as well."""
    return _CACHE_MOUNT.sub("", text) if work.worker.builder.rung == "classic" else text


def _need_base_image(work: Work, image: str) -> None:
    """Fail before the build when the base of a Dockerfile we wrote cannot be had."""
    engine = work.worker.engine
    if engine.find_image(image):
        return
    try:
        engine.pull(image, work.log.write, work.stopped)
    except AppError as error:
        settings = work.worker.settings
        wanted = (settings.python_image, settings.node_image, settings.static_image)
        at_hand = [name for name in wanted if engine.find_image(name)]
        raise AppError(
            f"the base image {image} is not on the host and cannot be pulled",
            code="no_base_image",
            hint=f"At hand: {', '.join(at_hand) or 'none of the usual ones'}. "
            "Bring a Dockerfile of your own, or load the image into the engine.",
        ) from error


def _without_syntax(work: Work, text: str) -> str:
    """The Dockerfile without a ``# syntax=`` line whose frontend cannot be fetched: it would fail on every rung."""
    found = _syntax_line(text)
    if found is None or _frontend(work, found[1]):
        return text
    lines = text.splitlines(keepends=True)
    return "".join(lines[: found[0]] + lines[found[0] + 1 :])


def _syntax_line(text: str) -> tuple[int, str] | None:
    """The number of the ``# syntax=`` line and the frontend it names. Directives stand at the top only."""
    for number, line in enumerate(text.splitlines()):
        if (found := _SYNTAX.match(line)) is not None:
            return number, found[1]
        if not _DIRECTIVE.match(line):
            return None
    return None


def _frontend(work: Work, image: str) -> bool:
    engine, clock = work.worker.engine, work.worker.clock
    until = clock.monotonic() + FRONTEND_DEADLINE
    try:
        over = lambda: clock.monotonic() >= until or work.stopped()  # noqa: E731
        if engine.find_image(image) or engine.pull(image, lambda _line: None, over):
            return True
    except LongshoreError:
        work.check()
    if not image.removeprefix("docker.io/").startswith("docker/dockerfile"):
        raise AppError(
            f"the Dockerfile asks for the frontend {image}, which cannot be fetched",
            code="no_frontend",
            hint="Leave out its `# syntax=` line, or load that image into the engine.",
        )
    work.log.write(f"the frontend {image} cannot be fetched: the `# syntax=` line is left out of this build")
    return False
