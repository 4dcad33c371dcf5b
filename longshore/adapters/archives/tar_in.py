"""Read a tar member by member in bounded memory, whatever its headers claim.

``tarfile`` is used for single header blocks only: its own walk keeps every member in a list and reads a PAX or
long-name block of any size into memory.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from longshore.adapters.archives.rules import MAX_PATH, Kind, Member, broken, refuse, shown, too_large

BLOCK = tarfile.BLOCKSIZE
CHUNK = 64 * 1024
MAX_PAX = 1024 * 1024  # extended attributes make these large; a name never does
MAX_TAIL = 1024 * 1024  # padding after the end of a tar: its blocking factor, at most

_LONG_TYPES = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_KINDS = {tarfile.DIRTYPE: Kind.FOLDER, tarfile.SYMTYPE: Kind.LINK} | dict.fromkeys(
    (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE), Kind.FILE
)
_REFUSED = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


class TarStream:
    """The bytes of a tar, counted; ``most`` is how many may be read before it counts as a bomb."""

    def __init__(self, raw: BinaryIO, most: int | None = None, *, can_seek: bool = False) -> None:
        self._raw = raw
        self._most = most
        self._can_seek = can_seek
        self.position = 0

    def read(self, size: int, name: str = "") -> bytes:
        """Up to ``size`` bytes; fewer only at the end."""
        try:
            got = self._raw.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as exc:
            raise broken(f"the gzip data is damaged or cut off ({exc})") from exc
        self._count(len(got), name)
        return got

    def exactly(self, size: int, name: str = "") -> bytes:
        """``size`` bytes (small), or an error for a tar that is cut off."""
        got = self.read(size, name)
        if len(got) < size:
            raise broken(f"it ends in the middle of '{shown(name)}'" if name else "it ends too early")
        return got

    def skip(self, size: int, name: str) -> None:
        """Pass over bytes nobody wants; the last one is read, so that a tar that is cut off is noticed."""
        if self._can_seek and size:
            self._raw.seek(size - 1, 1)
            self._count(size - 1, name)
            size = 1
        while size:
            size -= len(self.exactly(min(size, CHUNK), name))

    def _count(self, size: int, name: str) -> None:
        self.position += size
        if self._most is not None and self.position > self._most:
            raise too_large(name, f"the archive unpacks to more than {self._most} bytes for its size")


@dataclass
class _Body:
    """The content of one member: chunks until its size is reached."""

    stream: TarStream
    name: str
    left: int

    def __iter__(self) -> Iterator[bytes]:
        while self.left:
            chunk = self.stream.exactly(min(self.left, CHUNK), self.name)
            self.left -= len(chunk)
            yield chunk


def read_tar(stream: TarStream) -> Iterator[Member]:
    """The members in order. Content must be read before the next one is asked for; what is left is skipped.

    Raises InvalidRequestError (``bad_archive``) for damage, truncation and any kind of member that is not a file, a
    folder or a symbolic link.
    """
    extra: dict[str, str] = {}
    while (block := stream.exactly(BLOCK)).strip(b"\0"):
        header = _header(block)
        if header.type in _LONG_TYPES:
            extra[_LONG_TYPES[header.type]] = _long_name(stream, header)
        elif header.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            extra.update(_pax(_extension(stream, header, MAX_PAX)))
        elif header.type == tarfile.XGLTYPE:
            _global_pax(stream, header)
        else:
            member, body = _member(stream, header, extra)
            yield member
            stream.skip(body.left + -member.size % BLOCK, member.name)
            extra = {}
    if extra:
        raise broken("its last header belongs to no member")
    _read_tail(stream)


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as exc:
        raise broken("a header is damaged, or it is not a .tar, .tar.gz or .zip") from exc
    if header.size < 0:
        raise refuse(header.name, "its size is negative")
    return header


def _member(stream: TarStream, header: tarfile.TarInfo, extra: dict[str, str]) -> tuple[Member, _Body]:
    name = extra.get("path", header.name)
    kind = _KINDS.get(header.type)
    if kind is None or any(key.startswith("GNU.sparse.") for key in extra):
        what = _REFUSED.get(header.type, "a sparse file" if kind else "of an unknown kind")
        raise refuse(name, f"it is {what}; only files, folders and symbolic links are taken")
    if kind is Kind.FILE and name.endswith("/"):
        raise refuse(name, "it is a file with the name of a folder")
    size = _number(extra["size"], name) if "size" in extra else header.size
    body = _Body(stream, name, size if kind is Kind.FILE else 0)
    member = Member(
        name=name,
        kind=kind,
        size=body.left,
        executable=bool(header.mode & 0o111),
        mtime=_mtime(extra.get("mtime"), header),
        target=extra.get("linkpath", header.linkname) if kind is Kind.LINK else "",
        content=body,
        offset=stream.position,
    )
    return member, body


def _mtime(text: str | None, header: tarfile.TarInfo) -> int:
    whole = (text or "").partition(".")[0]
    return int(whole) if whole.isdecimal() and len(whole) < 12 else int(header.mtime)


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise refuse(name, "its size is not a number")
    return int(text)


def _extension(stream: TarStream, header: tarfile.TarInfo, most: int) -> bytes:
    """The content of a header that speaks about the next member."""
    if header.size > most:
        raise refuse(header.name, f"its extended header is larger than {most} bytes")
    content = stream.exactly(header.size, header.name)
    stream.skip(-header.size % BLOCK, header.name)
    return content


def _long_name(stream: TarStream, header: tarfile.TarInfo) -> str:
    return _extension(stream, header, 2 * MAX_PATH).rstrip(b"\0").decode("utf-8", "surrogateescape")


def _global_pax(stream: TarStream, header: tarfile.TarInfo) -> None:
    """``git archive`` leaves a comment here; anything that would rename what follows is not for a source tree."""
    if {"path", "linkpath", "size"} & _pax(_extension(stream, header, MAX_PAX)).keys():
        raise refuse(header.name, "its global header renames or resizes members")


def _pax(content: bytes) -> dict[str, str]:
    """The records of a PAX header: ``<length> <key>=<value>\\n``, in one linear walk."""
    records: dict[str, str] = {}
    at = 0
    while at < len(content) and content[at] != 0:
        digits, _, _ = content[at : at + 8].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        key, found, value = content[at + len(digits) + 1 : at + length - 1].partition(b"=")
        if not found or at + length > len(content) or content[at + length - 1 : at + length] != b"\n":
            raise broken("a PAX header is damaged")
        records[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        at += length
    return records


def _read_tail(stream: TarStream) -> None:
    """Read to the very end: only then has gzip compared its checksum."""
    most = stream.position + MAX_TAIL
    while stream.read(CHUNK):
        if stream.position > most:
            raise broken("there is more data after the end of the tar")
