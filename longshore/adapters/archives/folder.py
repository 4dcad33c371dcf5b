"""A folder on disk (a git checkout, or the user's own on the CLI) becomes a clean tar."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longshore.adapters.archives.paths import build_path
from longshore.adapters.archives.rules import NO_LIMITS, ArchiveLimits, Kind, Member, Outline, refuse, shown
from longshore.adapters.archives.tar_out import pour
from longshore.domain.dockerignore import DockerIgnore
from longshore.errors import InvalidRequestError

CHUNK = 256 * 1024


def pack_folder(
    folder: Path,
    into: Path,
    *,
    ignore: DockerIgnore | None = None,
    subfolder: str = "",
    limits: ArchiveLimits = NO_LIMITS,
) -> int:
    """Pack a folder, or only what lies below its ``subfolder``, as a clean GNU tar; return the number of members.

    Same tree, same bytes (sorted by name; times come from the files). Everything named ``.git`` is left out, and what
    ``ignore`` excludes. Links are kept where they stay inside, and never followed. Raises InvalidRequestError
    (``bad_archive``: special files, links that leave the tree, names that are not UTF-8; ``bad_build_path``:
    ``subfolder`` is not a folder inside) and TooLargeError.
    """
    top = _below(folder, build_path(subfolder, "the source folder"))
    return pour(_walk(top, ignore), Outline(limits), into)


def _below(folder: Path, parts: list[str]) -> Path:
    """The folder reached by these names without passing a link."""
    for part in parts:
        folder = folder / part
        if folder.is_symlink() or not folder.is_dir():
            name = shown("/".join(parts))
            raise InvalidRequestError(f"there is no folder '{name}' in the source", code="bad_build_path")
    return folder


def _walk(top: Path, ignore: DockerIgnore | None) -> Iterator[Member]:
    """Parents first, by name; with a stack of our own, because a hostile tree may be deeper than Python recurses."""
    waiting = _entries(top, "")
    while waiting:
        path, entry = waiting.pop()
        excluded = ignore is not None and ignore.excludes(path)
        if not excluded:
            yield _one(Path(entry.path), path, entry.stat(follow_symlinks=False))
        if entry.is_dir(follow_symlinks=False) and (not excluded or (ignore and ignore.has_exceptions)):
            waiting += _entries(Path(entry.path), f"{path}/")


def _entries(folder: Path, prefix: str) -> list[tuple[str, os.DirEntry[str]]]:
    """What lies in one folder, last name first."""
    with _readable(prefix), os.scandir(folder) as found:
        entries = [(f"{prefix}{entry.name}", entry) for entry in found if entry.name != ".git"]
    return sorted(entries, key=lambda named: named[0], reverse=True)


@contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise refuse(path, f"it cannot be read ({exc.strerror})", hint="check its rights, or leave it out") from exc


def _one(file: Path, path: str, seen: os.stat_result) -> Member:
    mtime = int(seen.st_mtime)
    if stat.S_ISDIR(seen.st_mode):
        return Member(path, Kind.FOLDER, mtime=mtime)
    if stat.S_ISLNK(seen.st_mode):
        return Member(path, Kind.LINK, mtime=mtime, target=os.readlink(file))  # noqa: PTH115  keeps the text as it is
    if not stat.S_ISREG(seen.st_mode):
        raise refuse(path, "it is a device, a FIFO or a socket", hint="remove it or add it to .dockerignore")
    executable = bool(seen.st_mode & 0o111)
    return Member(path, Kind.FILE, seen.st_size, executable, mtime, content=_content(file, path, seen))


def _content(file: Path, path: str, seen: os.stat_result) -> Iterator[bytes]:
    """The file's bytes; it may not be exchanged for another one, or change its size, while it is read."""
    with _readable(path):
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        now = os.fstat(opened.fileno())
        left = seen.st_size
        if (now.st_ino, now.st_dev, now.st_size) != (seen.st_ino, seen.st_dev, left):
            raise refuse(path, "it changed while it was packed", hint="try again")
        while left:
            chunk = opened.read(min(left, CHUNK))
            if not chunk:
                raise refuse(path, "it became shorter while it was packed", hint="try again")
            left -= len(chunk)
            yield chunk
