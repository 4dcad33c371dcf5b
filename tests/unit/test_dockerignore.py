"""What a .dockerignore leaves out of a build."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.dockerignore import DockerIgnore
from longshore.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("lines", "path", "excluded"),
    [
        ("secret", "secret", True),
        ("secret", "a/secret", False),
        ("secret", "secret/deep/file", True),
        ("/secret", "secret", True),
        ("secret/", "secret/file", True),
        ("./a//b/../c", "a/c", True),
        ("  spaced  ", "spaced", True),
        ("# comment", "# comment", False),
        ("\\#real", "#real", True),
        ("\ufefffirst", "first", True),
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "pkg/a.pyc", False),
        ("*/temp*", "one/temporary.txt", True),
        ("*/temp*", "one/two/temp", False),
        ("*/*/temp*", "one/two/temp", True),
        ("temp?", "tempa", True),
        ("temp?", "temp", False),
        ("temp?", "temp/", False),
        ("**/*.go", "main.go", True),
        ("**/*.go", "a/b/main.go", True),
        ("**/node_modules", "web/node_modules/left/pad.js", True),
        ("**/foo", "xfoo", False),
        ("**.pyc", "a/b.pyc", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "axb", False),
        ("dir/**", "dir/file", True),
        ("dir/**", "dir", False),
        ("**", "anything/at/all", True),
        ("[a-c].txt", "b.txt", True),
        ("[^a-c].txt", "b.txt", False),
        ("[^a-c].txt", "z.txt", True),
        ("[\\]]", "]", True),
        ("a.c", "abc", False),
        ("a+(b)|{c}$", "a+(b)|{c}$", True),
        ("../outside", "outside", False),
        ("/", "a", False),
        (".", "a", False),
        ("ü*", "über", True),
    ],
)
def test_a_single_line_means_what_docker_says(lines: str, path: str, excluded: bool) -> None:
    assert DockerIgnore.parse(lines).excludes(path) is excluded


@pytest.mark.parametrize(
    ("lines", "path", "excluded"),
    [
        ("*.md\n!README.md", "README.md", False),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", False),
        ("docs\n!docs/keep", "docs/keep/file", False),
        ("docs\n!docs/keep", "docs/other", True),
        ("!docs/keep\ndocs", "docs/keep", True),
        ("*\n!src\nsrc/*.log", "src/main.py", False),
        ("*\n!src\nsrc/*.log", "src/a.log", True),
        ("*\n! /src/", "src/main.py", False),
    ],
)
def test_the_last_line_that_matches_wins(lines: str, path: str, excluded: bool) -> None:
    assert DockerIgnore.parse(lines).excludes(path) is excluded


def test_what_the_build_needs_is_always_kept() -> None:
    ignore = DockerIgnore.parse("*", always_keep=("docker/Dockerfile", ".dockerignore"))
    assert not ignore.excludes("docker/Dockerfile")
    assert not ignore.excludes(".dockerignore")
    assert ignore.excludes("docker/other")


@pytest.mark.parametrize("line", ["!", "[", "[]", "a[b", "[b-a]", "end\\", "x" * 40_000])
def test_a_line_docker_refuses_is_refused(line: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        DockerIgnore.parse(line)
    assert caught.value.code == "bad_dockerignore"


@pytest.mark.parametrize("line", ["*a" * 200 + "b", "**/a" * 200 + "/b", "**/*a" * 150 + "[xy]"])
def test_a_pattern_made_to_be_slow_is_not(line: str) -> None:
    begin = time.monotonic()
    assert not DockerIgnore.parse(line).excludes("a" * 250 + "/a" * 1900)
    assert time.monotonic() - begin < 1


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\*?[]!#\x00", exclude_categories=("C", "Z")), min_size=1
)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=4).map("/".join)


@given(PATHS, PATHS)
def test_a_plain_path_excludes_itself_and_all_below_it(path: str, below: str) -> None:
    ignore = DockerIgnore.parse(path)
    assert ignore.excludes(path)
    assert ignore.excludes(f"{path}/{below}")
    assert not ignore.excludes(f"{path}x")


@given(st.text(max_size=60), PATHS)
def test_any_text_is_either_refused_clearly_or_gives_an_answer(text: str, path: str) -> None:
    with contextlib.suppress(InvalidRequestError):
        assert DockerIgnore.parse(text).excludes(path) in (True, False)


@given(st.lists(PATHS, min_size=1, max_size=5))
def test_the_order_in_which_paths_are_asked_changes_nothing(paths: list[str]) -> None:
    text = "**/a*\n!**/*b\n[c-z]*/?"
    together = DockerIgnore.parse(text)
    assert [together.excludes(p) for p in paths] == [DockerIgnore.parse(text).excludes(p) for p in paths]
