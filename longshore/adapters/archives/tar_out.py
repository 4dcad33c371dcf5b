"""Write a clean tar: GNU format, owner 0:0, plain modes, no memory kept per member."""

import errno
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from longshore.adapters.archives.rules import Kind, Member, Outline
from longshore.errors import DiskFullError

BLOCK = tarfile.BLOCKSIZE
LATEST = 0o77777777777  # the largest time the octal field of a header can hold

_TYPES = {Kind.FILE: tarfile.REGTYPE, Kind.FOLDER: tarfile.DIRTYPE, Kind.LINK: tarfile.SYMTYPE}


class CleanTar:
    """An open clean tar. Modes are 0755 or 0644 as in git: who packed, and with which umask, changes no layer."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.members = 0

    def add(self, path: str, member: Member) -> None:
        """Append one member under a path that is known to be clean."""
        header = tarfile.TarInfo(path)
        header.type = _TYPES[member.kind]
        header.mode = 0o755 if member.executable or member.kind is not Kind.FILE else 0o644
        header.mtime = member.mtime if 0 <= member.mtime <= LATEST else 0
        header.size = member.size
        header.linkname = member.target
        self._file.write(header.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict"))
        for chunk in member.content:
            self._file.write(chunk)
        self._file.write(bytes(-member.size % BLOCK))
        self.members += 1

    def end(self) -> None:
        """Write the two empty blocks that end a tar."""
        self._file.write(bytes(2 * BLOCK))


@contextmanager
def clean_tar(into: Path) -> Iterator[CleanTar]:
    """A tar that appears under its name only when it is complete; on any error neither it nor a part is left."""
    part = into.with_name(f"{into.name}.part")
    try:
        with part.open("wb") as file:
            tar = CleanTar(file)
            yield tar
            tar.end()
        part.replace(into)
    except BaseException as exc:
        part.unlink(missing_ok=True)
        into.unlink(missing_ok=True)
        if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
            text = "there is no room left on the disk for the source archive"
            raise DiskFullError(text, hint="free some space") from exc
        raise


def pour(members: Iterable[Member], outline: Outline, into: Path) -> int:
    """Write every member the outline lets through and return how many there were."""
    with clean_tar(into) as tar:
        for member in members:
            path = outline.add(member)
            if path:
                tar.add(path, member)
    return tar.members
