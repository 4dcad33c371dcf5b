"""Dockerfiles for Python programs."""

import shlex
from dataclasses import dataclass

from longshore.domain.dockerfile.django import find_django
from longshore.domain.dockerfile.python_packages import Packages, find_packages
from longshore.domain.dockerfile.python_version import python_version
from longshore.domain.dockerfile.reading import web_command
from longshore.domain.dockerfile.web_objects import Interface, find_web_object
from longshore.domain.dockerfile.written import (
    DEFAULT_PORT,
    BaseImages,
    WrittenDockerfile,
    copy_source,
    dockerfile,
    in_shell,
    make_user,
    run_as_user,
    with_version,
)
from longshore.domain.tree import SourceTree

_FILES = frozenset(["requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "manage.py"])
_NODE_COMMANDS = frozenset(["node", "npm", "npx", "yarn", "pnpm"])
_SERVERS = frozenset(("gunicorn", "uvicorn"))


@dataclass(frozen=True)
class Start:
    """How the program is started: the argument list, the packages that takes, and what must be importable."""

    command: tuple[str, ...]
    reason: str
    server: str | None = None
    framework: str | None = None
    import_paths: tuple[str, ...] = ()
    settings: str | None = None


def served(tree: SourceTree, images: BaseImages) -> WrittenDockerfile | None:
    """The Dockerfile of a web program in Python: by its Procfile, as a Django project, or by its web object."""
    start = _by_procfile(tree) or _as_django(tree) or _by_web_object(tree)
    return _written(tree, images, start) if start else None


def script(tree: SourceTree, images: BaseImages) -> WrittenDockerfile | None:
    """The Dockerfile of ``app.py`` or ``main.py`` run as it is; it has to listen on ``$PORT`` itself."""
    paths = frozenset(tree.paths())
    for file in ("app.py", "main.py"):
        if file in paths:
            reason = f"no web object found -> python {file}, which has to listen on $PORT"
            return _written(tree, images, Start(("python", file), reason))
    return None


def _by_procfile(tree: SourceTree) -> Start | None:
    command = web_command(tree)
    if not command or not _is_python(tree) or command.split()[0] in _NODE_COMMANDS:
        return None
    server = next((word for word in command.split() if word in _SERVERS), None)
    import_paths = ("src",) if any(path.startswith("src/") for path in tree.paths()) else ()
    return Start(in_shell(command), "found Procfile -> its web command", server, import_paths=import_paths)


def _is_python(tree: SourceTree) -> bool:
    return any(path in _FILES or ("/" not in path and path.endswith(".py")) for path in tree.paths())


def _as_django(tree: SourceTree) -> Start | None:
    project = find_django(tree)
    if not project:
        return None
    server, command = _server(project.interface, project.target, factory=False)
    return Start(
        command,
        f"found manage.py, Django serves `{project.target}` -> {server}",
        server,
        "django",
        (project.root,) if project.root else (),
        project.settings,
    )


def _by_web_object(tree: SourceTree) -> Start | None:
    found = find_web_object(tree)
    if not found:
        return None
    server, command = _server(found.framework.interface, f"{found.module}:{found.name}", factory=found.factory)
    kind = "factory" if found.factory else "object"
    reason = f"{found.framework.name} {kind} `{found.name}` in {found.path} -> {server}"
    return Start(command, reason, server, found.framework.package, found.import_paths)


def _server(interface: Interface, target: str, *, factory: bool) -> tuple[str, tuple[str, ...]]:
    """The server for an interface, and the argument list that serves ``target`` with it.

    gunicorn takes its number of processes from ``WEB_CONCURRENCY``, as uvicorn does; threads, because one slow
    client would otherwise hold up a whole process.
    """
    if interface == "asgi":
        flag = "--factory " if factory else ""
        return "uvicorn", _in_shell_with("uvicorn --host 0.0.0.0 --port $PORT " + flag, target)
    call = "()" if factory else ""
    return "gunicorn", _in_shell_with("gunicorn --bind 0.0.0.0:$PORT --threads 8 ", target + call)


def _in_shell_with(command: str, argument: str) -> tuple[str, ...]:
    """The argument list that has the shell fill in ``$PORT`` and pass ``argument`` on as it is."""
    return ("sh", "-c", f"exec {command}{shlex.quote(argument)}")


def _written(tree: SourceTree, images: BaseImages, start: Start) -> WrittenDockerfile:
    version, why_version = python_version(tree)
    base, why_base = with_version(images.python, version, why_version)
    packages = find_packages(tree)
    added = _added(packages, start)
    lines = [
        f"FROM {base}",
        "ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore",
        *([f"ENV {packages.environment}"] if packages.environment else []),
        make_user(),
        "WORKDIR /app",
        *packages.first,
        *packages.adding(added),
        copy_source(),
        *packages.last,
        f"ENV {_environment(start)}",
        *run_as_user(DEFAULT_PORT, start.command),
    ]
    missing = sorted(set(added) - packages.names)
    why_added = tuple(f"{name} is not among the dependencies and is installed besides" for name in missing)
    reasons = (why_base, packages.reason, start.reason, *why_added)
    return WrittenDockerfile(dockerfile(lines), base, DEFAULT_PORT, "python", reasons)


def _added(packages: Packages, start: Start) -> list[str]:
    """The server; the framework too where no file names any dependency, for then nothing else would bring it."""
    framework = None if packages.declared else start.framework
    return [name for name in (framework, start.server) if name]


def _environment(start: Start) -> str:
    paths = ":".join(["/app", *(f"/app/{path}" for path in start.import_paths)])
    settings = f" DJANGO_SETTINGS_MODULE={start.settings}" if start.settings else ""
    return f"PORT={DEFAULT_PORT} PYTHONPATH={paths}{settings}"
