import pytest

from longshore.domain.dockerfile.python_version import pinned, python_version, within
from longshore.errors import AppError


@pytest.mark.parametrize("asked", ["3.12", "3.12.4", "python-3.12.4", "cpython-3.12", "python3.12"])
def test_a_pin_means_its_minor_version(asked):
    assert pinned(asked) == "3.12"


@pytest.mark.parametrize("asked", ["", "2.7", "3", "pypy3.9", "my-env", "3.12; rm", "3.12\n", "3.123", "٣.12", "3.١٢"])
def test_what_is_no_pin_is_none(asked):
    assert pinned(asked) is None


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        (">=3.11", "3.13"),
        (">= 3.11, <4", "3.13"),
        (">=3.12.4", "3.13"),
        ("*", "3.13"),
        ("==3.12", "3.12"),
        ("==3.12.*", "3.12"),
        ("==3.12.3", "3.12"),
        ("3.11.*", "3.11"),
        ("<3.13", "3.12"),
        ("<=3.12", "3.11"),
        (">=3.9,<3.12", "3.11"),
        (">=3.14", "3.14"),
        (">3.14", "3.14"),
        ("~=3.11", "3.13"),
        ("~=3.11.2", "3.11"),
        ("^3.11", "3.13"),
        ("~3.11", "3.11"),
        (">=3.11,!=3.13.*", "3.14"),
        (">=3.11,!=3.13.1", "3.13"),
        ("~3.9 || ~3.10", "3.10"),
    ],
)
def test_a_range_means_the_version_inside_it_that_is_nearest_to_the_default(asked, version):
    assert within(asked) == version


@pytest.mark.parametrize("asked", ["", "python", ">=3.x", ">=3.11,evil", ">=3.11\nRUN evil", "||"])
def test_a_range_that_cannot_be_read_is_none(asked):
    assert within(asked) is None


@pytest.mark.parametrize("asked", [">=4", "<3", ">=3.12,<3.12", "2.7"])
def test_a_range_that_nothing_satisfies_is_the_apps_fault(asked):
    with pytest.raises(AppError, match="pyproject") as caught:
        within(asked)
    assert "requires-python" in caught.value.hint


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({}, ("3.13", "Python 3.13 by default")),
        ({".python-version": "# ours\n\n3.11\n3.10"}, ("3.11", "Python 3.11 from .python-version")),
        ({".python-version": "pypy", "runtime.txt": "python-3.12.1"}, ("3.12", "Python 3.12 from runtime.txt")),
        ({"Pipfile": "[requires]\npython_version = '3.10'"}, ("3.10", "Python 3.10 from Pipfile")),
        (
            {"pyproject.toml": "[project]\nrequires-python = '==3.12.*'"},
            ("3.12", "Python 3.12 from pyproject.toml"),
        ),
        (
            {"pyproject.toml": "[tool.poetry.dependencies]\npython = '~3.12'"},
            ("3.12", "Python 3.12 from pyproject.toml"),
        ),
        ({"pyproject.toml": "requires-python = ["}, ("3.13", "Python 3.13 by default")),
        (
            {".python-version": "3.12", "pyproject.toml": "[project]\nrequires-python = '>=3.13'"},
            ("3.12", "Python 3.12 from .python-version"),
        ),
    ],
)
def test_the_version_comes_from_the_first_file_that_names_one(tree, files, chosen):
    assert python_version(tree(files)) == chosen
