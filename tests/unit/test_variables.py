"""Variables as they are given to ``longshore env set``."""

import io

import click
import pytest

from longshore.cli import variables
from longshore.cli.variables import given


@pytest.fixture
def typed(monkeypatch):
    """Something on standard input, or a terminal."""

    def give(text: str | None) -> None:
        stdin = io.StringIO(text or "")
        stdin.isatty = lambda: text is None
        monkeypatch.setattr(variables.sys, "stdin", stdin)

    return give


def test_pairs_are_taken_as_they_are(typed):
    typed("")
    assert given(["A=1", "B=x=y", "C="], None) == {"A": "1", "B": "x=y", "C": ""}


@pytest.mark.parametrize("word", ["KEY=-", "KEY"])
def test_one_value_comes_from_standard_input_with_all_its_lines(typed, word):
    typed("one\ntwo\n")
    assert given([word], None) == {"KEY": "one\ntwo"}


@pytest.mark.parametrize("words", [["A=-", "B=-"], ["A", "B"], ["A=-", "B"]])
def test_two_values_cannot_come_from_there(typed, words):
    typed("one\n")
    with pytest.raises(click.UsageError, match="only one"):
        given(words, None)


def test_at_a_terminal_one_is_asked_and_nothing_is_shown(typed, monkeypatch):
    typed(None)
    asked = []
    monkeypatch.setattr(click, "prompt", lambda key, **how: asked.append((key, how["hide_input"])) or f"of {key}")
    assert given(["A", "B"], None) == {"A": "of A", "B": "of B"}
    assert asked == [("A", True), ("B", True)]


def test_a_file_has_lines_comments_and_quotes(tmp_path):
    file = tmp_path / ".env"
    file.write_text("# of the shop\n\nA=1\nexport B='x y'\nKEY=\"-----BEGIN\nmiddle\nEND-----\"\nC=a#b\n")
    expected = {"A": "1", "B": "x y", "KEY": "-----BEGIN\nmiddle\nEND-----", "C": "a#b"}
    assert given([], file) == expected
    assert given(["A=2"], file)["A"] == "2"


@pytest.mark.parametrize("text", ["nonsense", "A='open"])
def test_a_file_that_cannot_be_read_is_refused_and_its_values_are_not_told(tmp_path, text):
    file = tmp_path / ".env"
    file.write_text(text)
    with pytest.raises(click.UsageError) as caught:
        given([], file)
    assert "open" not in caught.value.message.replace(str(file), "")
