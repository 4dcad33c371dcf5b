"""How the dependencies of a Python program get into the image, before its source does."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from longshore.domain.dockerfile.reading import Table, lines, table, text, toml
from longshore.domain.dockerfile.written import run_cached
from longshore.domain.tree import SourceTree

PIP_CACHE = "/root/.cache/pip"
UV_CACHE = "/root/.cache/uv"

# An environment of its own, outside /app: the copied source may carry a .venv, and the tool's own packages must not
# meet the program's. The tool takes it for the activated one.
_OWN_ENVIRONMENT = "VIRTUAL_ENV=/venv PATH=/venv/bin:$PATH"
# The image's Python, whatever patch .python-version names.
_UV_PYTHON = "UV_PYTHON=python3 UV_PYTHON_DOWNLOADS=never"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
# PEP 508, narrowed to what cannot mean anything to a shell or to the Dockerfile's parser once it is quoted.
_REQUIREMENT = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]* *(?:\[[A-Za-z0-9._, -]*\])? *"
    r"(?:@ ?https://[A-Za-z0-9:/._@#=&+%?~-]+|[A-Za-z0-9.*+!<>=~, ()-]*)"
    r"""(?: ?;[A-Za-z0-9_.'"<>=!~,() -]*)?"""
)
_LONGEST_REQUIREMENT = 1000
_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)[ =]?\s*(\S+)")
_LOCAL = re.compile(r"-e\b|--editable\b|\.|/|file:|[^@]*@\s*file:|.*\.(whl|zip|tar\.gz)$|-f\b|--find-links\b")
_PLAIN_PATH = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./-]*")


@dataclass(frozen=True)
class Packages:
    """Where the dependencies are named, and the Dockerfile lines that install them.

    ``names`` are those surely installed; ``environment`` goes into ``ENV``; ``first`` runs before the source is
    copied, ``last`` after it. ``add`` is the command that installs one more, and ``cache`` where it keeps its files.
    """

    reason: str
    names: frozenset[str] = frozenset()
    environment: str = ""
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    add: str = "pip install"
    cache: str = PIP_CACHE
    declared: bool = True

    def adding(self, names: Iterable[str]) -> list[str]:
        """The lines that install what else is needed. ``names`` are ours, never the user's."""
        missing = sorted(set(names) - self.names)
        return [run_cached(f"{self.add} {' '.join(missing)}", self.cache)] if missing else []


def find_packages(tree: SourceTree) -> Packages:
    """The dependencies of the tree: a lock first, since it names exact versions, then what is written by hand."""
    paths = frozenset(tree.paths())
    for finder in _FINDERS:
        found = finder(tree, paths)
        if found:
            return found
    return Packages("no dependencies are named", declared=False)


def _uv(tree: SourceTree, paths: frozenset[str]) -> Packages | None:
    if not {"uv.lock", "pyproject.toml"} <= paths:
        return None
    pyproject = toml(tree, "pyproject.toml")
    sync = "uv sync --frozen --no-dev --inexact"  # inexact: or the second sync removes an added server
    return Packages(
        "found uv.lock",
        frozenset(_unconditional(_dependencies(pyproject))),
        f"UV_PROJECT_ENVIRONMENT=/venv {_UV_PYTHON} UV_LINK_MODE=copy {_OWN_ENVIRONMENT}",
        (
            run_cached("pip install uv", PIP_CACHE),
            "COPY pyproject.toml uv.lock ./",
            run_cached(f"{sync} --no-install-workspace", UV_CACHE),
        ),
        (run_cached(sync, UV_CACHE),) if "build-system" in pyproject else (),
        add="uv pip install",
        cache=UV_CACHE,
    )


def _poetry_lock(tree: SourceTree, paths: frozenset[str]) -> Packages | None:
    return _poetry(tree, "pyproject.toml poetry.lock") if {"poetry.lock", "pyproject.toml"} <= paths else None


def _poetry_pyproject(tree: SourceTree, _paths: frozenset[str]) -> Packages | None:
    pyproject = toml(tree, "pyproject.toml")
    poetry = table(pyproject, "tool", "poetry", "dependencies")
    return _poetry(tree, "pyproject.toml") if poetry and not _dependencies(pyproject) else None


def _poetry(tree: SourceTree, files: str) -> Packages:
    pyproject = toml(tree, "pyproject.toml")
    poetry = table(pyproject, "tool", "poetry", "dependencies")
    return Packages(
        f"found {files.rpartition(' ')[2]} (Poetry)",
        frozenset(_unconditional(_dependencies(pyproject))) | _unconditional_keys(poetry),
        f"POETRY_NO_INTERACTION=1 {_OWN_ENVIRONMENT}",
        (
            run_cached("pip install poetry && python -m virtualenv /venv", PIP_CACHE),
            f"COPY {files} ./",
            # no-root: many a program says it is a package and is none; it is run from its folder
            run_cached("poetry install --only main --no-root --no-directory", "/root/.cache/pypoetry"),
        ),
    )


def _pipfile_lock(tree: SourceTree, paths: frozenset[str]) -> Packages | None:
    return _pipenv(tree, "Pipfile Pipfile.lock", "pipenv sync") if {"Pipfile", "Pipfile.lock"} <= paths else None


def _pipfile(tree: SourceTree, paths: frozenset[str]) -> Packages | None:
    return _pipenv(tree, "Pipfile", "pipenv install --skip-lock") if "Pipfile" in paths else None


def _pipenv(tree: SourceTree, files: str, install: str) -> Packages:
    return Packages(
        f"found {files.rpartition(' ')[2]}",
        _unconditional_keys(table(toml(tree, "Pipfile"), "packages")),
        _OWN_ENVIRONMENT,
        (
            run_cached("pip install pipenv && python -m virtualenv /venv", PIP_CACHE),
            f"COPY {files} ./",
            run_cached(install, PIP_CACHE),
        ),
    )


def _requirements(tree: SourceTree, paths: frozenset[str]) -> Packages | None:
    if "requirements.txt" not in paths:
        return None
    install = run_cached("pip install -r requirements.txt", PIP_CACHE)
    files = _included(tree, paths)
    names = frozenset(_unconditional(line for file in files or ("requirements.txt",) for line in lines(tree, file)))
    if files is None:
        reason = "found requirements.txt; it names files of the source, which is therefore copied first"
        return Packages(reason, names, last=(install,))
    copies = tuple(f"COPY {file} ./{file.rpartition('/')[0]}".rstrip("/") + "/" for file in files)
    return Packages("found requirements.txt", names, first=(*copies, install))


def _included(tree: SourceTree, paths: frozenset[str]) -> tuple[str, ...] | None:
    """requirements.txt and the files it includes; ``None`` when they need more of the source than that."""
    found: dict[str, None] = {}
    waiting = ["requirements.txt"]
    while waiting:
        file = waiting.pop()
        if file not in paths or not _PLAIN_PATH.fullmatch(file):
            return None
        found[file] = None
        folder = file.rpartition("/")[0]
        for line in lines(tree, file):
            if included := _INCLUDE.match(line):
                waiting.append(f"{folder}/{included[1]}" if folder else included[1].removeprefix("./"))
            elif _LOCAL.match(line):
                return None
        waiting = [file for file in waiting if file not in found]
    return tuple(sorted(found))


def _pyproject(tree: SourceTree, _paths: frozenset[str]) -> Packages | None:
    pyproject = toml(tree, "pyproject.toml")
    if "project" not in pyproject:
        return None
    requirements = _dependencies(pyproject)
    if not all(map(_is_plain, requirements)) or _is_dynamic(pyproject):
        reason = "found pyproject.toml; its dependencies are known to its build only, so the source is copied first"
        return Packages(reason, last=(run_cached("pip install .", PIP_CACHE),))
    quoted = " ".join(shlex.quote(one) for one in requirements)
    return Packages(
        "found pyproject.toml",
        frozenset(_unconditional(requirements)),
        first=(run_cached(f"pip install {quoted}", PIP_CACHE),) if quoted else (),
        last=_install_project(pyproject),
    )


def _is_plain(requirement: str) -> bool:
    """Whether it may be written into the Dockerfile; ``<<`` would open a here-document, even in quotes."""
    fits = len(requirement) <= _LONGEST_REQUIREMENT  # the pattern's time grows with the square of the length
    return fits and "<<" not in requirement and bool(_REQUIREMENT.fullmatch(requirement))


def _install_project(pyproject: Table) -> tuple[str, ...]:
    """Installs the project itself where it says how; Poetry's projects often say so and are no packages."""
    backend = text(table(pyproject, "build-system"), "build-backend")
    if not backend or backend.startswith("poetry"):
        return ()
    return (run_cached("pip install --no-deps .", PIP_CACHE),)


def _is_dynamic(pyproject: Table) -> bool:
    dynamic = table(pyproject, "project").get("dynamic")
    return isinstance(dynamic, list) and "dependencies" in dynamic


def _dependencies(pyproject: Table) -> list[str]:
    found = table(pyproject, "project").get("dependencies")
    return [one.strip() for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _unconditional(requirements: Iterable[str]) -> Iterator[str]:
    """Normalised names of the requirements without a marker: those are installed whatever the platform."""
    for requirement in requirements:
        found = _NAME.match(requirement)
        if found and ";" not in requirement:
            yield _normalised(found[0])


def _unconditional_keys(dependencies: Table) -> frozenset[str]:
    plain = {name for name, value in dependencies.items() if not isinstance(value, dict | list)}
    detailed = {name for name, value in dependencies.items() if isinstance(value, dict) and set(value) <= _PLAIN_KEYS}
    return frozenset(map(_normalised, plain | detailed))


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


_PLAIN_KEYS = {"version", "extras", "index", "source"}
_FINDERS: tuple[Callable[[SourceTree, frozenset[str]], Packages | None], ...] = (
    _uv,
    _poetry_lock,
    _pipfile_lock,
    _requirements,
    _pipfile,
    _poetry_pyproject,
    _pyproject,
)
