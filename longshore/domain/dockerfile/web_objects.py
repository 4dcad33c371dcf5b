"""Finds the object a web server is to be pointed at, by reading the source."""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from longshore.domain.tree import SourceTree

Interface = Literal["wsgi", "asgi"]


@dataclass(frozen=True)
class Framework:
    """What makes web objects: its name, the package that carries it, and how its objects are called."""

    name: str
    package: str
    interface: Interface


@dataclass(frozen=True)
class WebObject:
    """``name`` in ``module``: a web object, or a function without arguments that makes one (``factory``).

    ``import_paths`` are the folders, relative to the tree, that must be importable besides the tree itself.
    """

    path: str
    module: str
    name: str
    framework: Framework
    factory: bool
    import_paths: tuple[str, ...] = ()


FLASK = Framework("Flask", "flask", "wsgi")
FASTAPI = Framework("FastAPI", "fastapi", "asgi")
STARLETTE = Framework("Starlette", "starlette", "asgi")
MAKERS = {
    "flask.Flask": FLASK,
    "flask.app.Flask": FLASK,
    "apiflask.APIFlask": Framework("APIFlask", "apiflask", "wsgi"),
    "flask_openapi3.OpenAPI": Framework("flask-openapi3", "flask-openapi3", "wsgi"),
    "bottle.Bottle": Framework("Bottle", "bottle", "wsgi"),
    "falcon.App": Framework("Falcon", "falcon", "wsgi"),
    "falcon.asgi.App": Framework("Falcon", "falcon", "asgi"),
    "fastapi.FastAPI": FASTAPI,
    "fastapi.applications.FastAPI": FASTAPI,
    "starlette.applications.Starlette": STARLETTE,
    "quart.Quart": Framework("Quart", "quart", "asgi"),
    "litestar.Litestar": Framework("Litestar", "litestar", "asgi"),
    "django.core.wsgi.get_wsgi_application": Framework("Django", "django", "wsgi"),
    "django.core.asgi.get_asgi_application": Framework("Django", "django", "asgi"),
}

_USUAL_STEMS = ("wsgi", "asgi", "app", "main", "server", "application", "api", "run", "__init__")
_USUAL_NAMES = ("app", "application", "api", "server")
_NOT_SEARCHED = re.compile(
    r"tests?|testing|v?env|virtualenv|site-packages|node_modules|__pycache__|build|dist|docs?|examples?|scripts|tools"
    r"|migrations|bench|benchmarks|\..*"
)
_NOT_SEARCHED_FILE = re.compile(r"test_.*|.*_test|tests|conftest|setup|manage|noxfile")
_FACTORY = re.compile(r"(create|make|build|get|init)_(\w+_)?(app|application)|app_factory")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DEEPEST = 2
# A tree made to be slow must not take minutes, or gigabytes, to parse.
_MOST_FILES = 100
_MOST_CHARACTERS = 1024 * 1024


def find_web_object(tree: SourceTree) -> WebObject | None:
    """The best web object of the tree, or ``None``.

    Files with a usual name (app, main, wsgi, ...) come before others, shallow ones before deep ones, and among
    them objects before factories. Tests, virtual environments and examples are not searched.
    """
    paths = frozenset(tree.paths())
    usual, other = _candidates(paths)
    modules = _parsed(tree, usual + other)
    factories = {name: made for module in modules.values() for name, made in _factories(module)}
    for group in (usual, other):
        read = [(path, modules[path]) for path in group if path in modules]
        objects = (_web_object(path, paths, _objects(m, factories), factory=False) for path, m in read)
        made = (_web_object(path, paths, _factories(m), factory=True) for path, m in read)
        if found := next((one for one in (*objects, *made) if one), None):
            return found
    return None


def parse(source: str | None) -> ast.Module | None:
    """The syntax tree of a source text; ``None`` when it is no Python (of this version)."""
    if source is None:
        return None
    try:
        with warnings.catch_warnings():  # the compiler warns of "\d" in other people's files
            warnings.simplefilter("ignore")
            return ast.parse(source.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_dotted_name(name: str) -> bool:
    """Whether every part of ``name`` is a plain ASCII identifier: safe to write and to import."""
    return all(_IDENTIFIER.fullmatch(part) for part in name.split("."))


def is_plain_folder(name: str) -> bool:
    """Whether this is the name of one folder that may be written into a Dockerfile as it is."""
    return bool(_FOLDER.fullmatch(name))


def module_of(path: str, paths: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    """The dotted name of a file and the folders that must be importable for it; ``None`` when it has no name."""
    *folders, file = path.split("/")
    roots = []
    if folders and _is_import_root(folders[0], paths):
        roots.append(folders.pop(0))
    parts = [*folders, file.removesuffix(".py")]
    if parts[-1] == "__init__":
        parts.pop()
    module = ".".join(parts)
    if not is_dotted_name(module) or not all(map(is_plain_folder, roots)):
        return None
    return module, (*roots, *_own_folder(path, paths, roots))


def _is_import_root(folder: str, paths: frozenset[str]) -> bool:
    """``src`` is one unless it is a package itself; a folder that is no identifier can be nothing else."""
    return (folder == "src" and "src/__init__.py" not in paths) or not _IDENTIFIER.fullmatch(folder)


def _own_folder(path: str, paths: frozenset[str], roots: list[str]) -> tuple[str, ...]:
    """The folder of the file where it is no package: its files import one another without the folder's name.

    Not where a file in it has the folder's own name (``app/app.py``): it would then hide the folder.
    """
    folder, _, _ = path.rpartition("/")
    hides = f"{folder}/{folder.rpartition('/')[2]}.py"
    if not folder or [folder] == roots or f"{folder}/__init__.py" in paths or hides in paths:
        return ()
    return (folder,)


def _parsed(tree: SourceTree, paths: Iterable[str]) -> dict[str, ast.Module]:
    modules = {}
    left = _MOST_CHARACTERS
    for path in paths:
        source = tree.read_text(path) or ""
        left -= len(source)
        if left >= 0 and (module := parse(source)):
            modules[path] = module
    return modules


def _candidates(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    searched = sorted((p for p in paths if _is_searched(p)), key=_rank)
    usual = [path for path in searched if _stem(path) in _USUAL_STEMS]
    other = [path for path in searched if _stem(path) not in _USUAL_STEMS]
    return usual[:_MOST_FILES], other[:_MOST_FILES]


def _is_searched(path: str) -> bool:
    *folders, file = path.split("/")
    if not file.endswith(".py") or _NOT_SEARCHED_FILE.fullmatch(_stem(path)):
        return False
    deepest = _DEEPEST + (folders[:1] == ["src"])
    return len(folders) <= deepest and not any(map(_NOT_SEARCHED.fullmatch, folders))


def _rank(path: str) -> tuple[int, int, str]:
    depth = path.removeprefix("src/").count("/")
    stem = _stem(path)
    return depth, _USUAL_STEMS.index(stem) if stem in _USUAL_STEMS else len(_USUAL_STEMS), path


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".py")


def _web_object(
    path: str, paths: frozenset[str], found: Iterable[tuple[str, Framework]], *, factory: bool
) -> WebObject | None:
    named = {name: framework for name, framework in found if is_dotted_name(name)}
    importable = module_of(path, paths)
    if not named or not importable:
        return None
    name = next((usual for usual in _USUAL_NAMES if usual in named), next(iter(named)))
    module, import_paths = importable
    return WebObject(path, module, name, named[name], factory, import_paths)


def _objects(module: ast.Module, factories: dict[str, Framework]) -> Iterator[tuple[str, Framework]]:
    """The names a module gives to web objects, made here or by a factory of this tree."""
    imported = _imports(module)
    for statement in _top_level(module.body):
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(statement.value, ast.Call):
            continue
        maker = _dotted(statement.value.func, imported)
        framework = MAKERS.get(maker) or factories.get(maker.rpartition(".")[2])
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            if framework and isinstance(target, ast.Name):
                yield target.id, framework


def _factories(module: ast.Module) -> Iterator[tuple[str, Framework]]:
    """The functions of a module that can be called with nothing and make a web object."""
    imported = _imports(module)
    for statement in _top_level(module.body):
        if not isinstance(statement, ast.FunctionDef) or not _FACTORY.fullmatch(statement.name):
            continue
        calls = (_dotted(node.func, imported) for node in ast.walk(statement) if isinstance(node, ast.Call))
        framework = next((MAKERS[maker] for maker in calls if maker in MAKERS), None)
        if framework and not _needs_arguments(statement.args):
            yield statement.name, framework


def _needs_arguments(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args) > len(arguments.defaults)
    return positional or None in arguments.kw_defaults


def _top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements an import runs: those inside ``if``, ``try`` and ``with`` too, but not the main guard's."""
    waiting = list(body)[::-1]
    while waiting:  # a loop, for `elif` chains are as deep as they are long
        statement = waiting.pop()
        yield statement
        if isinstance(statement, ast.If) and _is_main_guard(statement.test):
            waiting.extend(statement.orelse[::-1])
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            waiting.extend(list(_inner(statement))[::-1])


def _inner(statement: ast.If | ast.Try | ast.With) -> Iterator[ast.stmt]:
    yield from statement.body
    if isinstance(statement, ast.Try):
        for handler in statement.handlers:
            yield from handler.body
    if not isinstance(statement, ast.With):
        yield from statement.orelse


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _imports(module: ast.Module) -> dict[str, str]:
    """The dotted name behind each imported name, wherever in the module it is imported."""
    imported = {}
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom):
            imported.update({a.asname or a.name: f"{node.module or ''}.{a.name}" for a in node.names})
        elif isinstance(node, ast.Import):
            imported.update({a.asname: a.name for a in node.names if a.asname})
    return imported


def _dotted(node: ast.expr, imported: dict[str, str]) -> str:
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([imported.get(node.id, node.id), *reversed(attributes)])
