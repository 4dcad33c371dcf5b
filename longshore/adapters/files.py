"""Files of the stack's home: uploads, build folders; all written so that a crash leaves nothing half-made."""

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from longshore.adapters.archives import ArchiveLimits, TarTree, build_context, pack_folder, rewrite_archive
from longshore.adapters.git import remove_tree
from longshore.domain.tree import SourceTree
from longshore.errors import PlatformError
from longshore.settings import Settings

LEFTOVER_AFTER = 3600.0  # seconds: nobody uploads or rewrites for so long
LEFTOVERS = (".incoming-*", "*.part")


def replace_file(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a whole file or nothing: temporary file, fsync, rename."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


class HomeFiles:
    """Uploads and builds under the home of a stack."""

    def __init__(self, settings: Settings) -> None:
        self._uploads = settings.root / "uploads"
        self._builds = settings.root / "builds"
        self._limits = ArchiveLimits(max_unpacked=settings.unpacked_limit, max_members=settings.members_limit)
        self._known: dict[Path, float] = {}  # since when, on the monotonic clock: a file's own times follow a moved one

    def accept(self, upload: Path) -> str:
        """Rewrite an upload into a clean tar; its id."""
        self._uploads.mkdir(parents=True, exist_ok=True)
        upload_id = secrets.token_hex(16)
        rewrite_archive(upload, self._uploads / f"{upload_id}.tar", self._limits)
        return upload_id

    def forget(self, upload_id: str) -> None:
        """Remove an upload."""
        (self._uploads / f"{upload_id}.tar").unlink(missing_ok=True)

    def uploads(self) -> list[tuple[str, float]]:
        """All uploads, and for how long this process has seen them. What was left half-way is removed on the way."""
        there = [path for pattern in (*LEFTOVERS, "*.tar") for path in self._uploads.glob(pattern)]
        now = time.monotonic()
        self._known = {path: self._known.get(path, now) for path in there}
        self._remove_leftovers(now)
        return [(path.stem, now - since) for path, since in self._known.items() if path.suffix == ".tar"]

    def _remove_leftovers(self, now: float) -> None:
        for path, since in self._known.items():
            if now - since > LEFTOVER_AFTER and path.suffix != ".tar":
                with suppress(FileNotFoundError):  # another worker was faster
                    remove_tree(path) if path.is_dir() else path.unlink()

    def upload(self, upload_id: str) -> Path:
        """The clean tar of an upload."""
        path = self._uploads / f"{upload_id}.tar"
        if not path.exists():
            raise PlatformError("the uploaded source is gone", code="upload_gone", hint="Deploy it again.")
        return path

    @contextmanager
    def build_folder(self, name: str) -> Iterator[Path]:
        """A new empty folder, gone at the end; what a crash left of an earlier one is removed first."""
        folder = self._builds / name
        remove_tree(folder)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            remove_tree(folder)

    def build_folders(self) -> list[str]:
        """The names of all build folders."""
        return [path.name for path in self._builds.glob("*")]

    def forget_build(self, name: str) -> None:
        """Remove a build folder."""
        remove_tree(self._builds / name)

    def pack(self, folder: Path, into: Path) -> None:
        """A checkout as a clean tar, under the limits an upload has."""
        pack_folder(folder, into, limits=self._limits)

    def tree(self, tar: Path, below: str) -> SourceTree:
        """The files below a folder of a clean tar."""
        tree = TarTree(tar)
        return tree if below in ("", ".") else _Below(tree, f"{below}/")

    def context(self, tar: Path, into: Path, *, below: str, dockerfile: str, replace: Mapping[str, bytes]) -> None:
        """The build context."""
        build_context(tar, into, context="" if below == "." else below, dockerfile=dockerfile, extra=replace)

    def free_bytes(self) -> int:
        """Free space on the disk of the home."""
        self._builds.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self._builds).free


class _Below:
    """A part of a tree, as a tree."""

    def __init__(self, tree: SourceTree, prefix: str) -> None:
        self._tree = tree
        self._prefix = prefix

    def paths(self) -> Iterator[str]:
        """The files below, without the prefix."""
        return (path.removeprefix(self._prefix) for path in self._tree.paths() if path.startswith(self._prefix))

    def is_link(self, path: str) -> bool:
        """Whether a symbolic link lies there."""
        return self._tree.is_link(self._prefix + path)

    def read_text(self, path: str, limit: int = 256 * 1024) -> str | None:
        """The text of a file below."""
        return self._tree.read_text(self._prefix + path, limit)
