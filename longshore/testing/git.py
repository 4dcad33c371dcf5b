"""Repositories in a dict."""

from dataclasses import dataclass, field
from pathlib import Path

from longshore.domain.ports import OnLine, Stopped
from longshore.errors import AppError, InvalidRequestError, StoppedError


@dataclass
class FakeGit:
    """``repositories``: URL → path → text. Only ``https://`` is fetched."""

    repositories: dict[str, dict[str, str]] = field(default_factory=dict)
    commit: str = "c0ffee" + "0" * 34
    fetched: list[tuple[str, str | None]] = field(default_factory=list)

    def check(self, url: str, ref: str | None) -> None:
        """Refuse what is not https."""
        if not url.startswith("https://") or (ref or "").startswith("-"):
            raise InvalidRequestError("only https:// repositories are fetched", code="bad_git_source")

    def fetch(self, url: str, ref: str | None, into: Path, *, on_line: OnLine, stopped: Stopped) -> str:
        """Write the files of a known repository; ``AppError`` for an unknown one."""
        self.fetched.append((url, ref))
        if stopped():
            raise StoppedError("the fetch was told to stop")
        if url not in self.repositories:
            raise AppError("the repository cannot be fetched", code="git_not_found")
        on_line("receiving objects")
        for path, text in self.repositories[url].items():
            file = into / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return self.commit
