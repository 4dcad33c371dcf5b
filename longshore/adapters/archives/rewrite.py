"""An uploaded archive of unknown origin becomes a clean tar."""

import gzip
from pathlib import Path
from typing import BinaryIO, cast

from longshore.adapters.archives.rules import ArchiveLimits, Outline
from longshore.adapters.archives.tar_in import TarStream, read_tar
from longshore.adapters.archives.tar_out import pour
from longshore.adapters.archives.zip_in import read_zip
from longshore.errors import UnsupportedError

RATIO_FLOOR = 10 * 1024 * 1024  # small archives may unpack to this much whatever their ratio

_NOT_READ = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf": "7z", b"Rar!": "rar"}


def rewrite_archive(upload: Path, into: Path, limits: ArchiveLimits) -> int:
    """Rewrite a .tar, .tar.gz or .zip (told by its content) as a clean GNU tar and return its number of members.

    Nothing is unpacked to disk, memory stays below 64 MB for any input with up to 200 000 ``max_members``, and ``into``
    exists afterwards only when everything was in order. A single top-level folder is kept as it is. Raises
    InvalidRequestError (``bad_archive``), TooLargeError (``archive_too_large``), UnsupportedError
    (``bad_archive``: another format) or DiskFullError.
    """
    most = max(RATIO_FLOOR, upload.stat().st_size * limits.max_ratio)
    outline = Outline(limits)
    with upload.open("rb") as file:
        magic = file.read(8)
        file.seek(0)
        _refuse_other_formats(magic)
        if magic.startswith((b"PK\3\4", b"PK\5\6")):
            with upload.open("rb") as directory:
                return pour(read_zip(file, directory, limits.max_members, most), outline, into)
        if magic.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=file, mode="rb") as unzipped:
                return pour(read_tar(TarStream(cast(BinaryIO, unzipped), most)), outline, into)
        return pour(read_tar(TarStream(file)), outline, into)


def _refuse_other_formats(magic: bytes) -> None:
    for start, name in _NOT_READ.items():
        if magic.startswith(start):
            text = f"the archive is {name}; only .tar, .tar.gz and .zip are read"
            raise UnsupportedError(text, code="bad_archive", hint="pack it with: tar -czf source.tar.gz .")
