"""``.dockerignore``: which files of a build context are left out.

The meaning is Docker's own (github.com/moby/patternmatcher and the Dockerfile reference): the last line that matches
a path *or one of its folders* wins. All lines together are one automaton whose states are the bits of one number
(Baeza-Yates and Gonnet, "A new approach to text searching"), so the time is linear in the length of a path whatever
the lines are: a pattern like ``*a*a*a*a*b`` that would keep a backtracking matcher busy for days costs nothing here.
"""

import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Self

from longshore.errors import InvalidRequestError

MAX_TEXT = 32 * 1024
MAX_CLASSES = 100  # different ones; each is looked at for each new character
MAX_CHARS = 500  # whose moves are remembered
MAX_REMEMBERED = 1_000  # folders whose state is kept while a tree is walked


class DockerIgnore:
    """The lines of one ``.dockerignore``, ready to be asked about paths."""

    def __init__(self, lines: list[tuple[bool, str]], always_keep: Collection[str] = ()) -> None:
        self.has_exceptions = any(exception for exception, _ in lines)
        self._exceptions = [exception for exception, _ in lines]
        self._always_keep = frozenset(always_keep)
        self._machine = _Machine([_tokens(pattern) for _, pattern in lines])
        self._folders: dict[str, tuple[int, int]] = {}

    @classmethod
    def parse(cls, text: str, *, always_keep: Collection[str] = ()) -> Self:
        """Read the text of a ``.dockerignore``; paths in ``always_keep`` are never excluded.

        Raises InvalidRequestError (``bad_dockerignore``) for a pattern Docker refuses too, and for more than 32 KiB.
        """
        if len(text) > MAX_TEXT:
            raise _bad(f"it is longer than {MAX_TEXT // 1024} KiB")
        return cls(list(_lines(text)), always_keep)

    def excludes(self, path: str) -> bool:
        """Say whether the build must not see ``path`` (relative, ``/`` between parts, no ``./``)."""
        if path in self._always_keep:
            return False
        folder, _, name = path.rpartition("/")
        state, seen = self._after(folder)
        last = self._machine.last_match(seen | self._machine.run(state, name))
        return last is not None and not self._exceptions[last]

    def _after(self, folder: str) -> tuple[int, int]:
        """The automaton after ``folder/``, and every state seen at the end of a folder on the way."""
        if not folder:
            return self._machine.start, 0
        known = self._folders.get(folder)
        if known is None:
            known = self._walk(folder)
            if len(self._folders) >= MAX_REMEMBERED:
                self._folders.clear()
            self._folders[folder] = known
        return known

    def _walk(self, folder: str) -> tuple[int, int]:
        state, seen = self._machine.start, 0
        for part in folder.split("/"):
            state = self._machine.run(state, part)
            seen |= state
            state = self._machine.run(state, "/")
        return state, seen


def _lines(text: str) -> Iterator[tuple[bool, str]]:
    """The patterns in order, cleaned as Docker does: (is it an exception, pattern)."""
    for raw in text.removeprefix("\ufeff").split("\n"):
        line = raw.strip()
        if raw.startswith("#") or not line:
            continue
        exception = line.startswith("!")
        pattern = line[1:].strip() if exception else line
        if not pattern:
            raise _bad("a line is only '!'")
        yield exception, _cleaned(pattern)


def _cleaned(pattern: str) -> str:
    clean = posixpath.normpath(pattern)
    return clean.lstrip("/") or "/"


@dataclass(frozen=True, slots=True)
class _Token:
    """One step of a pattern.

    ``kind``: ``char`` (the one in ``text``), ``class`` (one of ``ranges``, never a slash), ``star`` (anything without
    a slash), ``folders`` (``(.*/)?``) or ``all``.
    """

    kind: str
    text: str = ""
    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def holds(self, char: str) -> bool:
        """Say whether ``char`` is in this class."""
        return char != "/" and self.negated != any(low <= char <= high for low, high in self.ranges)


_ANY_CHAR = _Token("class", negated=True)
_STAR, _FOLDERS, _ALL = _Token("star"), _Token("folders"), _Token("all")


def _tokens(pattern: str) -> list[_Token]:
    """Read one pattern from left to right."""
    tokens: list[_Token] = []
    at = 0
    while at < len(pattern):
        token, at = _next_token(pattern, at)
        tokens.append(token)
    return tokens


def _next_token(pattern: str, at: int) -> tuple[_Token, int]:
    char = pattern[at]
    if pattern.startswith("**", at):
        return _double_star(pattern, at)
    if char == "*":
        return _STAR, at + 1
    if char == "?":
        return _ANY_CHAR, at + 1
    if char == "[":
        return _char_class(pattern, at + 1)
    if char == "\\":
        literal, at = _escaped(pattern, at)
        return _Token("char", literal), at
    return _Token("char", char), at + 1


def _double_star(pattern: str, at: int) -> tuple[_Token, int]:
    end = at + 2
    rest = pattern[end + 1 :] if pattern.startswith("/", end) else pattern[end:]
    if not rest:
        return _ALL, len(pattern)
    if at == 0 and rest == pattern[end:] and not any(special in rest for special in "*?[\\"):
        return _ALL, end  # Docker: a leading ``**`` before plain text, as in ``**.pyc``, means "ends with"
    return _FOLDERS, len(pattern) - len(rest)


def _escaped(pattern: str, at: int) -> tuple[str, int]:
    if at + 1 >= len(pattern):
        raise _bad(f"the pattern {pattern!r} ends with a backslash")
    return pattern[at + 1], at + 2


def _char_class(pattern: str, at: int) -> tuple[_Token, int]:
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[tuple[str, str]] = []
    while at < len(pattern) and pattern[at] != "]":
        low, at = _class_char(pattern, at)
        high = low
        if pattern.startswith("-", at) and at + 1 < len(pattern) and pattern[at + 1] != "]":
            high, at = _class_char(pattern, at + 1)
        if low > high:
            raise _bad(f"the range {low}-{high} in {pattern!r} runs backwards")
        ranges.append((low, high))
    if at >= len(pattern) or not ranges:
        raise _bad(f"the character class in {pattern!r} is not closed or is empty")
    return _Token("class", ranges=tuple(ranges), negated=negated), at + 1


def _class_char(pattern: str, at: int) -> tuple[str, int]:
    return _escaped(pattern, at) if pattern[at] == "\\" else (pattern[at], at + 1)


class _Machine:
    """All patterns side by side in one bit vector; each pattern ends with a bit that says "matched"."""

    def __init__(self, patterns: list[list[_Token]]) -> None:
        self._ends: dict[int, int] = {}  # bit number -> which pattern
        self._tokens: dict[_Token, int] = {}  # token -> the bits where it stands
        entries, bit = 0, 0
        for number, tokens in enumerate(patterns):
            entries |= 1 << bit
            for token in tokens:
                self._tokens[token] = self._tokens.get(token, 0) | 1 << bit
                bit += 1
            self._ends[bit] = number
            bit += 1
        self._end_bits = sum(1 << end for end in self._ends)
        self._star, self._folders, self._all = (self._tokens.get(token, 0) for token in (_STAR, _FOLDERS, _ALL))
        self._classes = [(token, bits) for token, bits in self._tokens.items() if token.kind == "class"]
        if len(self._classes) > MAX_CLASSES:
            raise _bad(f"it has more than {MAX_CLASSES} different character classes")
        self._moves: dict[str, int] = {}
        self.start = self._enter(entries)

    def run(self, state: int, text: str) -> int:
        """The state after reading ``text``."""
        for char in text:
            moved = (state & self._moving(char)) << 1
            stays = self._all if char == "/" else self._all | self._star
            state = self._enter(moved | state & stays) | state & self._folders
        return state

    def last_match(self, states: int) -> int | None:
        """The number of the last pattern that matched in any of these states."""
        matched = states & self._end_bits
        return self._ends[matched.bit_length() - 1] if matched else None

    def _enter(self, bits: int) -> int:
        """Add what can be reached without reading: a wildcard may stand for nothing."""
        optional = self._star | self._folders | self._all
        fresh = bits
        while fresh:
            fresh = ((fresh & optional) << 1) & ~bits
            bits |= fresh
        return bits

    def _moving(self, char: str) -> int:
        """The bits that go one further on ``char``."""
        known = self._moves.get(char)
        if known is None:
            known = self._tokens.get(_Token("char", char), 0) | (self._folders if char == "/" else 0)
            for token, bits in self._classes:
                known |= bits if token.holds(char) else 0
            if len(self._moves) < MAX_CHARS:
                self._moves[char] = known
        return known


def _bad(why: str) -> InvalidRequestError:
    return InvalidRequestError(f"the .dockerignore cannot be used: {why}", code="bad_dockerignore")
