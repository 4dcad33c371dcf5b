"""Finds what serves a Django project: its WSGI (or ASGI) module, else its settings."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from longshore.domain.dockerfile.web_objects import (
    Interface,
    is_dotted_name,
    is_plain_folder,
    module_of,
    parse,
)
from longshore.domain.tree import SourceTree

_DEEPEST = 2


@dataclass(frozen=True)
class DjangoProject:
    """Where a Django project is (``root``, empty for the tree itself) and what a server is to be pointed at.

    ``settings`` must be in the environment when it is given; otherwise the module names them itself.
    """

    root: str
    target: str
    interface: Interface
    settings: str | None = None


def find_django(tree: SourceTree) -> DjangoProject | None:
    """The project of the ``manage.py`` in the tree or one folder down; ``None`` when there is none to serve."""
    paths = frozenset(tree.paths())
    for manage in sorted((p for p in paths if _is_manage(p)), key=lambda p: (p.count("/"), p)):
        root = manage.rpartition("/")[0]
        settings = _settings_named_in(parse(tree.read_text(manage)))
        if found := _served(tree, paths, root, settings):
            return found
    return None


def _is_manage(path: str) -> bool:
    root, _, file = path.rpartition("/")
    return file == "manage.py" and (not root or is_plain_folder(root))


def _served(tree: SourceTree, paths: frozenset[str], root: str, settings: str | None) -> DjangoProject | None:
    if target := _wsgi_setting(tree, paths, root, settings):
        return DjangoProject(root, target, "wsgi")
    if module := _module_named("wsgi", paths, root, settings):
        return DjangoProject(root, f"{module}:application", "wsgi")
    if module := _module_named("asgi", paths, root, settings):
        return DjangoProject(root, f"{module}:application", "asgi")
    if settings:
        return DjangoProject(root, "django.core.wsgi:get_wsgi_application()", "wsgi", settings)
    return None


def _settings_named_in(manage: ast.Module | None) -> str | None:
    """What follows ``"DJANGO_SETTINGS_MODULE"`` in ``os.environ.setdefault(...)`` or ``os.environ[...] = ...``."""
    for node in ast.walk(manage) if manage else ():
        if isinstance(node, ast.Call):
            values = node.args
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            values = [node.targets[0].slice, node.value]
        else:
            continue
        texts = [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
        if texts[:1] == ["DJANGO_SETTINGS_MODULE"] and len(texts) == 2 and is_dotted_name(texts[1]):
            return texts[1]
    return None


def _wsgi_setting(tree: SourceTree, paths: frozenset[str], root: str, settings: str | None) -> str | None:
    """``package.wsgi:application`` out of ``WSGI_APPLICATION``, if that module is in the tree."""
    for path in _files_of(settings or "", root):
        for value in _constants(parse(tree.read_text(path)), "WSGI_APPLICATION"):
            module, _, name = value.rpartition(".")
            if is_dotted_name(value) and any(file in paths for file in _files_of(module, root)):
                return f"{module}:{name}"
    return None


def _files_of(module: str, root: str) -> list[str]:
    stem = "/".join([*filter(None, [root]), *module.split(".")])
    return [f"{stem}.py", f"{stem}/__init__.py"]


def _constants(module: ast.Module | None, name: str) -> Iterator[str]:
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            named = any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
            if named and isinstance(node.value.value, str):
                yield node.value.value


def _module_named(stem: str, paths: frozenset[str], root: str, settings: str | None) -> str | None:
    """The module ``stem`` nearest to the settings, as seen from the project's root."""
    prefix = f"{root}/" if root else ""
    inside = frozenset(path.removeprefix(prefix) for path in paths if path.startswith(prefix))
    package = (settings or "").partition(".")[0]
    found = [p for p in inside if p.rpartition("/")[2] == f"{stem}.py" and p.count("/") <= _DEEPEST]
    for path in sorted(found, key=lambda p: (not p.startswith(f"{package}/"), p.count("/"), p)):
        named = module_of(path, inside)
        if named and not any(folder.startswith((".", "test", "venv", "env")) for folder in path.split("/")[:-1]):
            return named[0]
    return None
