"""A source tree as the rest of the house sees it: names, and the text of small files."""

from collections.abc import Iterable
from typing import Protocol


class SourceTree(Protocol):
    """A build context, read only. Paths are relative, with ``/`` between parts and no leading ``./``."""

    def paths(self) -> Iterable[str]:
        """Every regular file in the tree, in no order."""
        ...

    def is_link(self, path: str) -> bool:
        """Whether a symbolic link lies there."""
        ...

    def read_text(self, path: str, limit: int = 256 * 1024) -> str | None:
        """The first ``limit`` bytes of a file as text (bad bytes replaced); ``None`` when there is no such file."""
        ...
