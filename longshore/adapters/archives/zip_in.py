"""Read a zip member by member in bounded memory.

``zipfile`` first makes an object of each entry of the directory; two million of them are gigabytes. This reader walks
the directory entry by entry (APPNOTE.TXT 6.3, sections 4.3.7, 4.3.12 to 4.3.16, 4.5.3).
"""

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from longshore.adapters.archives.rules import MAX_PATH, Kind, Member, broken, refuse, shown, too_large

CHUNK = 64 * 1024
STORED, DEFLATED = 0, 8
ENCRYPTED = 0x1 | 0x40  # bit 6: strong encryption
UNIX = 3

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s4B4H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of the central directory."""

    name: str
    system: int
    flags: int
    method: int
    date: int
    time: int
    crc: int
    packed: int
    size: int
    attributes: int
    offset: int

    @property
    def mode(self) -> int:
        """The Unix mode, 0 where the zip was made elsewhere."""
        return self.attributes >> 16 if self.system == UNIX else 0


def read_zip(file: BinaryIO, directory: BinaryIO, max_members: int, max_bytes: int) -> Iterator[Member]:
    """The members in the order of the directory; ``file`` and ``directory`` are two handles of the same zip.

    ``max_bytes`` is what the archive may unpack to for its size. Raises InvalidRequestError (``bad_archive``) or
    TooLargeError (``archive_too_large``).
    """
    start, size, count = _find_directory(directory)
    if count > max_members:
        raise too_large("", f"it says it holds {count} members, more than {max_members}")
    total = 0
    for entry in _entries(directory, start, size):
        total += entry.size
        if total > max_bytes:
            raise too_large(entry.name, f"the archive unpacks to more than {max_bytes} bytes for its size")
        yield _member(file, entry, start)


def _find_directory(file: BinaryIO) -> tuple[int, int, int]:
    """(offset, size, number of entries) of the central directory."""
    length = file.seek(0, 2)
    tail_at = max(0, length - 0xFFFF - _END.size)
    file.seek(tail_at)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise broken("the zip is cut off: it has no directory")
    _, _, _, _, count, size, start, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise broken("the zip is cut off, or data follows its end")
    end = tail_at + at
    if count == 0xFFFF or 0xFFFFFFFF in (size, start):
        end, count, size, start = _find_directory64(file, end) or (end, count, size, start)
    if start + size != end:
        raise broken("the directory of the zip is not where it should be")
    return start, size, count


def _find_directory64(file: BinaryIO, end: int) -> tuple[int, int, int, int] | None:
    """(where it lies, count, size, offset) from the zip64 record in front of the end, if there is one."""
    locator = _at(file, end - _LOCATOR64.size, _LOCATOR64.size)
    if not locator.startswith(b"PK\6\7"):
        return None
    where = _LOCATOR64.unpack(locator)[2]
    record = _at(file, where, _END64.size)
    if not record.startswith(b"PK\6\6"):
        raise broken("the zip64 record is damaged")
    *_, count, size, start = _END64.unpack(record)
    return where, count, size, start


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    if not 0 <= offset < 1 << 62:
        raise broken("an offset in the zip is wrong")
    file.seek(offset)
    return _exactly(file, size)


def _exactly(file: BinaryIO, size: int) -> bytes:
    got = file.read(size)
    if len(got) < size:
        raise broken("the zip is cut off")
    return got


def _entries(file: BinaryIO, start: int, size: int) -> Iterator[_Entry]:
    file.seek(start)
    while size > 0:
        fixed = _ENTRY.unpack(_exactly(file, _ENTRY.size))
        if fixed[0] != b"PK\1\2":
            raise broken("the directory of the zip is damaged")
        name_size, extra_size, comment_size = fixed[12:15]
        name, extra = _exactly(file, name_size), _exactly(file, extra_size)
        _exactly(file, comment_size)
        size -= _ENTRY.size + name_size + extra_size + comment_size
        yield _entry(fixed, name, extra)
    if size:
        raise broken("the directory of the zip is damaged")


def _entry(fixed: tuple[int, ...], raw_name: bytes, extra: bytes) -> _Entry:
    _, _, system, _, _, flags, method, time, date, crc, packed, size, _, _, _, _, _, attributes, offset = fixed
    name = raw_name.decode("utf-8", "surrogateescape")
    if len(raw_name) > MAX_PATH:
        raise refuse(name, f"the path is longer than {MAX_PATH} bytes")
    size, packed, offset = _zip64(name, extra, size, packed, offset)
    return _Entry(name, system, flags, method, date, time, crc, packed, size, attributes, offset)


def _zip64(name: str, extra: bytes, *values: int) -> tuple[int, int, int]:
    """Size, packed size and offset, taken from the zip64 field where the short form has no room for them."""
    field = _extra_field(extra, 1)
    found: list[int] = []
    for value in values:
        if value == 0xFFFFFFFF and field is not None:
            if len(field) < 8:
                raise refuse(name, "its zip64 field is damaged")
            value, field = int.from_bytes(field[:8], "little"), field[8:]
        found.append(value)
    size, packed, offset = found
    return size, packed, offset


def _extra_field(extra: bytes, wanted: int) -> bytes | None:
    while len(extra) >= 4:
        number, size = struct.unpack_from("<HH", extra)
        if number == wanted:
            return extra[4 : 4 + size]
        extra = extra[4 + size :]
    return None


def _member(file: BinaryIO, entry: _Entry, directory: int) -> Member:
    _check(entry)
    kind = _kind(entry)
    content = _content(file, entry, directory)
    target = _target(entry, content) if kind is Kind.LINK else ""
    is_file = kind is Kind.FILE
    return Member(
        name=entry.name,
        kind=kind,
        size=entry.size if is_file else 0,
        executable=bool(entry.mode & 0o111),
        mtime=_mtime(entry),
        target=target,
        content=content if is_file else (),
    )


def _check(entry: _Entry) -> None:
    if "\\" in entry.name:
        raise refuse(entry.name, "the name holds a backslash", hint="pack with '/' between the parts of a path")
    if entry.flags & ENCRYPTED:
        raise refuse(entry.name, "it is encrypted", hint="pack without a password")
    if entry.method not in (STORED, DEFLATED):
        raise refuse(entry.name, f"its compression method {entry.method} is not known here", hint="use deflate")


def _kind(entry: _Entry) -> Kind:
    type_of = stat.S_IFMT(entry.mode)
    if type_of == stat.S_IFLNK:
        return Kind.LINK
    is_folder = entry.name.endswith("/")
    if type_of not in (0, stat.S_IFDIR if is_folder else stat.S_IFREG):
        raise refuse(entry.name, "it is not a file, a folder or a symbolic link")
    if is_folder and entry.size:
        raise refuse(entry.name, "it is a folder with content")
    return Kind.FOLDER if is_folder else Kind.FILE


def _target(entry: _Entry, content: Iterator[bytes]) -> str:
    if entry.size > MAX_PATH:
        raise refuse(entry.name, f"its target is longer than {MAX_PATH} bytes")
    target = b"".join(content).decode("utf-8", "surrogateescape")
    if "\\" in target:
        raise refuse(entry.name, f"its target holds a backslash, {shown(target)}")
    return target


def _mtime(entry: _Entry) -> int:
    """DOS time; it has no zone, so it is taken as UTC. 0 when it is no date at all."""
    day, clock = entry.date, entry.time
    try:
        when = datetime(
            1980 + (day >> 9), day >> 5 & 15, day & 31, clock >> 11, clock >> 5 & 63, (clock & 31) * 2, tzinfo=UTC
        )
    except ValueError:
        return 0
    return int(when.timestamp())


def _content(file: BinaryIO, entry: _Entry, directory: int) -> Iterator[bytes]:
    """Exactly the size the directory promised, with the right checksum, or an error."""
    left, crc = entry.size, 0
    for chunk in _unpacked(file, entry, _start_of(file, entry, directory)):
        left -= len(chunk)
        crc = zlib.crc32(chunk, crc)
        if left < 0:
            raise refuse(entry.name, "it is larger than its header says")
        yield chunk
    if left or crc != entry.crc:
        raise refuse(entry.name, "its size or checksum is not what its header says")


def _start_of(file: BinaryIO, entry: _Entry, directory: int) -> int:
    """Where the packed bytes begin; the local header must name the same member."""
    header = _LOCAL.unpack(_at(file, entry.offset, _LOCAL.size))
    name_size, extra_size = header[-2:]
    if header[0] != b"PK\3\4" or _exactly(file, name_size).decode("utf-8", "surrogateescape") != entry.name:
        raise refuse(entry.name, "the directory and the member itself do not agree")
    start: int = entry.offset + _LOCAL.size + name_size + extra_size
    if start + entry.packed > directory:
        raise refuse(entry.name, "it is larger than the archive")
    return start


def _unpacked(file: BinaryIO, entry: _Entry, start: int) -> Iterator[bytes]:
    packed = _packed(file, start, entry.packed)
    return packed if entry.method == STORED else _inflated(entry.name, packed)


def _packed(file: BinaryIO, start: int, left: int) -> Iterator[bytes]:
    while left:
        file.seek(start)
        chunk = _exactly(file, min(left, CHUNK))
        start, left = start + len(chunk), left - len(chunk)
        yield chunk


def _inflated(name: str, packed: Iterator[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in packed:
            while chunk and not inflate.eof:
                yield inflate.decompress(chunk, CHUNK)
                chunk = inflate.unconsumed_tail
            if inflate.unused_data or (inflate.eof and chunk):
                raise refuse(name, "data follows its end")
        yield inflate.flush()  # at most the rest of one match: all input has been taken
    except zlib.error as exc:
        raise refuse(name, f"its data is damaged ({exc})") from exc
    if not inflate.eof:
        raise refuse(name, "its data is cut off")
