"""The house keeps its shape: imports go one way, files are rooms, and some words are no names."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = sorted(path for folder in ("longshore", "api", "workers") for path in (ROOT / folder).rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in CODE]
MIGRATIONS = ROOT / "longshore" / "migrations"
VAGUE = {"manager", "managers", "helper", "helpers", "utils", "util", "data", "info", "common", "misc"}


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_imports_go_one_way():
    program = Path(sys.executable).with_name("lint-imports")
    told = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "4 kept, 0 broken" in told.stdout


def test_there_is_code_to_look_at():
    assert len(CODE) > 100


@pytest.mark.parametrize("path", CODE, ids=NAMES)
def test_a_file_is_a_room_and_not_a_hall(path):
    if path.name == "ports.py" or MIGRATIONS in path.parents:  # a list of promises, and a list of tables
        assert all(len(node.body) <= 2 or MIGRATIONS in path.parents for node in functions(path))
    else:
        assert len(path.read_text().splitlines()) <= 350


@pytest.mark.parametrize("path", [path for path in CODE if MIGRATIONS not in path.parents], ids=str)
def test_no_function_is_longer_than_a_screen(path):
    long = [node.name for node in functions(path) if (node.end_lineno or 0) - node.lineno >= 50]
    assert long == []


@pytest.mark.parametrize("path", CODE, ids=NAMES)
def test_nothing_is_left_to_do(path):
    assert re.findall(r"\b(?:TODO|FIXME|XXX|HACK)\b", path.read_text()) == []


def test_no_module_has_a_vague_name():
    assert [name for path, name in zip(CODE, NAMES, strict=True) if set(path.stem.split("_")) & VAGUE] == []


@pytest.mark.parametrize("path", CODE, ids=NAMES)
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_only_move_to_writes_a_state():
    writers = []
    for path, name in zip(CODE, NAMES, strict=True):
        for function in functions(path):
            targets = [t for node in ast.walk(function) if isinstance(node, ast.Assign) for t in node.targets]
            writes = any(isinstance(t, ast.Attribute) and t.attr == "state" for t in targets)
            writers += [f"{name}:{function.name}"] if writes else []
    rows = ("deployment", "job", "replica", "run", "volume")
    assert writers == [f"longshore/models/{name}.py:move_to" for name in rows]
