"""Dockerfiles for Node programs."""

import re

from longshore.domain.dockerfile.reading import Table, json_table, lines, table, text, web_command
from longshore.domain.dockerfile.written import (
    DEFAULT_PORT,
    BaseImages,
    WrittenDockerfile,
    copy_source,
    dockerfile,
    in_shell,
    make_user,
    run_as_user,
    run_cached,
    with_version,
)
from longshore.domain.tree import SourceTree

DEFAULT_VERSION = 20

_NPM_CACHE = "/root/.npm"
_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
_PLAIN_NODE = re.compile(r"node(?: [A-Za-z0-9_./=:@-]+)+")
_PIN = re.compile(r"v?(\d{1,2})(?:\.(?:\d+|x|\*))*", re.ASCII)
_RANGE = re.compile(r"(>=|\^|~|)\s*v?(\d{1,2})(?:\.(?:\d+|x|\*))*", re.ASCII)
# npm runs these while it installs; they are likely to want the source
_INSTALL_SCRIPTS = frozenset(["preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare"])


def started(tree: SourceTree, images: BaseImages) -> WrittenDockerfile | None:
    """The Dockerfile of a Node program: one with a start script, or with a Procfile beside package.json."""
    package = json_table(tree, "package.json")
    command = _command(tree, package)
    if not command:
        return None
    paths = frozenset(tree.paths())
    version, why_version = node_version(tree, package)
    base, why_base = with_version(images.node, version, why_version)
    text_lines = [
        f"FROM {base}",
        make_user(),
        "WORKDIR /app",
        *_install(package, paths),
        f"ENV NODE_ENV=production PORT={DEFAULT_PORT}",
        *run_as_user(DEFAULT_PORT, command),
    ]
    reasons = (why_base, "found package.json", _why_install(package, paths), f"starts with `{' '.join(command)}`")
    return WrittenDockerfile(dockerfile(text_lines), base, DEFAULT_PORT, "node", reasons)


def node_version(tree: SourceTree, package: Table) -> tuple[str, str]:
    """The major version to build with, and the reason: a pin, then ``engines`` where the default does not do."""
    for file in (".nvmrc", ".node-version"):
        if found := _PIN.fullmatch(next(iter(lines(tree, file)), "")):
            return found[1], f"Node {found[1]} from {file}"
    found = _RANGE.fullmatch(text(table(package, "engines"), "node"))
    if found and not (found[1] == ">=" and int(found[2]) <= DEFAULT_VERSION):
        return found[2], f"Node {found[2]} from package.json"
    return str(DEFAULT_VERSION), f"Node {DEFAULT_VERSION} by default"


def _command(tree: SourceTree, package: Table) -> tuple[str, ...] | None:
    """The Procfile's command, else the start script: as its own ``node ...`` where it is nothing more.

    npm between the engine and the program costs memory and swallows signals.
    """
    if not package:
        return None
    if command := web_command(tree):
        return in_shell(command)
    scripts = table(package, "scripts")
    start = text(scripts, "start")
    if not start:
        return None
    if _PLAIN_NODE.fullmatch(start) and not {"prestart", "poststart"} & set(scripts):
        return tuple(start.split())
    return ("npm", "start")


def _install(package: Table, paths: frozenset[str]) -> list[str]:
    files = [file for file in ("package.json", *_LOCKS, ".npmrc") if file in paths]
    copy = [f"COPY {' '.join(files)} ./"]
    if _needs_source(package):
        copy = [copy_source()]
    if "build" not in table(package, "scripts"):
        return [*copy, _npm(f"{_npm_install(paths)} --omit=dev"), *_rest(copy)]
    return [
        *copy,
        _npm(f"{_npm_install(paths)} --include=dev"),  # what builds is a development dependency
        *_rest(copy),
        _npm("npm run build && npm prune --omit=dev"),
    ]


def _rest(copied: list[str]) -> list[str]:
    return [] if copied == [copy_source()] else [copy_source()]


def _npm(command: str) -> str:
    return run_cached(command, _NPM_CACHE)


def _npm_install(paths: frozenset[str]) -> str:
    install = "npm ci" if paths & set(_LOCKS) else "npm install"
    return f"{install} --no-audit --no-fund"


def _needs_source(package: Table) -> bool:
    """Whether installing takes more than package.json: workspaces, local packages, scripts of its own."""
    kinds = (table(package, kind) for kind in ("dependencies", "devDependencies", "optionalDependencies"))
    wanted = [str(value) for kind in kinds for value in kind.values()]
    local = any(value.startswith(("file:", "link:", ".", "/", "~/")) for value in wanted)
    return local or "workspaces" in package or bool(_INSTALL_SCRIPTS & set(table(package, "scripts")))


def _why_install(package: Table, paths: frozenset[str]) -> str:
    lock = next((lock for lock in _LOCKS if lock in paths), None)
    how = f"found {lock} -> npm ci" if lock else "no package-lock.json -> npm install"
    return f"{how}, after the source, which it needs" if _needs_source(package) else how
