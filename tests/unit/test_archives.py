"""Hostile archives go in; a clean tar, or a clear refusal and nothing at all, comes out."""

import gzip
import io
import os
import stat
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.adapters.archives import ArchiveLimits, TarTree, build_context, pack_folder, rewrite_archive
from longshore.domain.dockerignore import DockerIgnore
from longshore.errors import InvalidRequestError, LongshoreError, TooLargeError

LIMITS = ArchiveLimits(max_unpacked=20_000_000, max_members=1000)
MEGABYTE = 1024 * 1024


def entry(name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644) -> tuple:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.mtime = kind, target, mode, 1_700_000_000
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, data


def link(name: str, target: str) -> tuple:
    return entry(name, kind=tarfile.SYMTYPE, target=target)


def folder(name: str) -> tuple:
    return entry(name, kind=tarfile.DIRTYPE)


def tar_bytes(*entries: tuple, format: int = tarfile.PAX_FORMAT) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=format) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def zip_bytes(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return raw.getvalue()


def zip_entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (2024, 1, 2, 3, 4, 6))
    info.create_system, info.external_attr = 3, mode << 16
    return info


Rewrite = Callable[..., Path]


@pytest.fixture
def rewrite(tmp_path: Path) -> Rewrite:
    def run(content: bytes, limits: ArchiveLimits = LIMITS) -> Path:
        upload, into = tmp_path / "upload", tmp_path / "clean.tar"
        upload.write_bytes(content)
        rewrite_archive(upload, into, limits)
        return into

    return run


@pytest.fixture
def refused(rewrite: Rewrite, tmp_path: Path) -> Callable[..., LongshoreError]:
    def run(content: bytes, limits: ArchiveLimits = LIMITS) -> LongshoreError:
        with pytest.raises(InvalidRequestError) as caught:
            rewrite(content, limits)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["upload"]
        assert caught.value.message.isprintable()
        return caught.value

    return run


def listing(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as tar:
        return {info.name: info for info in tar.getmembers()}


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_tar_of_any_format_becomes_a_gnu_tar(rewrite: Rewrite, format: int, pack: Callable[[bytes], bytes]) -> None:
    names = ["./a/b.txt", "./a/" + "n" * 90 + "/" + "m" * 90]
    clean = rewrite(pack(tar_bytes(folder("./"), folder("./a"), *map(entry, names), format=format)))
    assert [name.removeprefix("./") for name in ("a", *names)] == list(listing(clean)) or len(listing(clean)) == 3
    assert b"PaxHeader" not in clean.read_bytes()
    assert TarTree(clean).read_text("a/b.txt") == "x"


def test_long_and_unicode_names_and_targets_survive(rewrite: Rewrite) -> None:
    name = "ü" * 100 + "/" + "漢" * 80
    clean = rewrite(tar_bytes(entry(name), link("l", name)))
    assert listing(clean)["l"].linkname == name
    assert list(TarTree(clean).paths()) == [name]


def test_owner_special_bits_and_odd_modes_are_removed_but_exec_stays(rewrite: Rewrite) -> None:
    info, data = entry("run", mode=0o6755)
    info.uid, info.uname = 1000, "me"
    found = listing(rewrite(tar_bytes((info, data), entry("plain", mode=0o1600))))
    assert (found["run"].mode, found["run"].uid, found["run"].uname) == (0o755, 0, "")
    assert found["plain"].mode == 0o644
    assert found["run"].mtime == 1_700_000_000


def test_a_git_archive_with_its_global_header_and_prefix_is_taken_as_it_is(rewrite: Rewrite) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "a" * 40}) as tar:
        tar.addfile(entry("app-1/Dockerfile")[0], io.BytesIO(b"x"))
    assert list(listing(rewrite(raw.getvalue()))) == ["app-1/Dockerfile"]


def test_a_zip_keeps_exec_bits_links_folders_and_times(rewrite: Rewrite) -> None:
    content = zip_bytes(
        (zip_entry("d/", stat.S_IFDIR | 0o755), b""),
        (zip_entry("d/run", stat.S_IFREG | 0o4755), b"#!"),
        (zip_entry("l", stat.S_IFLNK | 0o777), b"d/run"),
        ("big", b"0123456789" * 100_000),
    )
    clean = rewrite(content)
    found = listing(clean)
    assert (found["d/run"].mode, found["l"].linkname, found["d"].isdir()) == (0o755, "d/run", True)
    assert found["d/run"].mtime == 1704164646
    assert len(TarTree(clean).read_text("big", MEGABYTE) or "") == 1_000_000


HOSTILE = {
    "parent": [entry("../x")],
    "inner parent": [entry("a/../../x")],
    "absolute": [entry("/etc/passwd")],
    "absolute link": [link("l", "/etc")],
    "link out": [link("a/l", "../../x")],
    "link, then file below it": [link("l", "d"), entry("l/x")],
    "file below a later link": [entry("l/x"), link("l", "d")],
    "climbing through a link": [link("a/b/up", "../.."), link("y", "a/b/up/../x")],
    "climbing through a later link": [link("y", "a/b/up/../x"), link("a/b/up", "../..")],
    "climbing below a link": [link("s", "q"), link("q/d", ".."), link("y", "s/d/../../x")],
    "CVE-2025-4517": [folder("d" * 200), link("a", "d" * 200), link("b", "a/../x"), entry("b/x")],
    "hard link": [entry("a"), entry("b", kind=tarfile.LNKTYPE, target="a")],
    "device": [entry("a", kind=tarfile.CHRTYPE)],
    "block device": [entry("a", kind=tarfile.BLKTYPE)],
    "FIFO": [entry("a", kind=tarfile.FIFOTYPE)],
    "sparse": [entry("a", kind=tarfile.GNUTYPE_SPARSE)],
    "unknown": [entry("a", kind=b"Z")],
    "twice": [entry("a"), entry("a")],
    "twice, written otherwise": [entry("a/b"), entry("./a//b")],
    "file as folder": [entry("a"), entry("a/b")],
    "folder as file": [entry("a/b"), entry("a")],
    "folder, then link": [folder("a"), link("a", "b")],
    "long part": [entry("n" * 256)],
    "long path": [entry("n/" * 2100)],
    "empty target": [link("a", "")],
    "no name": [entry(".")],
    "zigzag": [link("a", "b/../" * 41 + "c")],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_tar_that_breaks_a_rule_is_refused_whole(refused: Callable[..., LongshoreError], case: str) -> None:
    assert refused(tar_bytes(entry("before"), *HOSTILE[case])).code == "bad_archive"


def test_links_that_stay_inside_are_kept(rewrite: Rewrite) -> None:
    links = {"a/l": "../b", "up": "a/../b", "dangling": "nowhere", "self": ".", "chain": "up/x", "a/c": "./l"}
    found = listing(rewrite(tar_bytes(folder("a"), *(link(name, target) for name, target in links.items()))))
    assert {name: found[name].linkname for name in links} == links


def test_a_folder_may_come_twice(rewrite: Rewrite) -> None:
    assert TarTree(rewrite(tar_bytes(folder("a"), entry("a/b"), folder("a")))).read_text("a/b") == "x"


def test_a_name_that_is_not_utf8_is_refused_and_shown_escaped(refused: Callable[..., LongshoreError]) -> None:
    content = tar_bytes(entry("b\udcffd\n"), format=tarfile.GNU_FORMAT)
    assert "b\\udcffd\\n" in refused(content).message


@pytest.mark.parametrize("cut", [1, 511, 600, 1024, 1500])
def test_a_tar_that_is_cut_off_is_refused(refused: Callable[..., LongshoreError], cut: int) -> None:
    whole = tar_bytes(entry("a", b"x" * 700), format=tarfile.GNU_FORMAT)
    refused(whole[:cut])


def test_a_gzip_that_is_cut_off_or_damaged_is_refused(refused: Callable[..., LongshoreError]) -> None:
    whole = bytearray(gzip.compress(tar_bytes(entry("a", os.urandom(5000)))))
    refused(bytes(whole[:-4]))
    whole[-6] ^= 1
    refused(bytes(whole))


def test_a_header_that_lies_about_its_size_is_refused(refused: Callable[..., LongshoreError]) -> None:
    info, _ = entry("a")
    info.size = 10_000
    assert "in the middle of 'a'" in refused(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048)).message
    info.size = -1
    refused(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x1f\x8b", b"PK\3\4", b"BZh91AY", os.urandom(2000), b"PK\5\6" * 9]
)
def test_what_is_no_archive_is_refused(refused: Callable[..., LongshoreError], content: bytes) -> None:
    assert refused(content).code == "bad_archive"


def test_a_pax_header_of_ten_gigabytes_is_refused_before_it_is_read(refused: Callable[..., LongshoreError]) -> None:
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
        info, _ = entry("a", kind=kind)
        info.size = 10_000_000_000
        refused(info.tobuf(tarfile.GNU_FORMAT))


@pytest.mark.parametrize("records", [b"9999999 path=x\n", b"5 a\n", b"x\n", b"0 a=b\n", b"1" * 5000])
def test_a_damaged_pax_header_is_refused(refused: Callable[..., LongshoreError], records: bytes) -> None:
    info, _ = entry("a", kind=tarfile.XHDTYPE)
    info.size = len(records)
    refused(info.tobuf(tarfile.GNU_FORMAT) + records + bytes(-len(records) % 512) + tar_bytes(entry("a")))


@pytest.mark.parametrize(
    ("limits", "entries"),
    [
        (ArchiveLimits(max_unpacked=99, max_members=9), [entry("a", b"x" * 50), entry("b", b"x" * 50)]),
        (ArchiveLimits(max_unpacked=99, max_members=2), [entry("a"), entry("b"), entry("c")]),
        (ArchiveLimits(max_unpacked=99, max_members=2), [folder("a")] * 3),
        (ArchiveLimits(max_unpacked=99, max_members=9), [entry("/".join("abcdefghijkl")), entry("z")]),
    ],
)
def test_limits_of_bytes_and_members_hold(
    refused: Callable[..., LongshoreError], limits: ArchiveLimits, entries: list[tuple]
) -> None:
    error = refused(tar_bytes(*entries), limits)
    assert (type(error), error.code) == (TooLargeError, "archive_too_large")


def test_exactly_at_the_limits_is_allowed(rewrite: Rewrite) -> None:
    limits = ArchiveLimits(max_unpacked=100, max_members=2)
    assert len(listing(rewrite(tar_bytes(entry("a", b"x" * 50), entry("b", b"x" * 50)), limits))) == 2


def test_a_ratio_bomb_is_refused_as_tar_and_as_zip(refused: Callable[..., LongshoreError]) -> None:
    generous = ArchiveLimits(max_unpacked=1 << 40, max_members=9)
    zeros = bytes(12 * MEGABYTE)
    assert refused(gzip.compress(tar_bytes(entry("a", zeros))), generous).code == "archive_too_large"
    assert refused(zip_bytes(("a", zeros)), generous).code == "archive_too_large"
    assert refused(gzip.compress(tar_bytes(entry("a")) + zeros), generous).code == "bad_archive"


@pytest.mark.parametrize(
    ("name", "mode", "data"),
    [
        ("../x", stat.S_IFREG, b""),
        ("/x", stat.S_IFREG, b""),
        ("a\\..\\..\\x", stat.S_IFREG, b""),
        ("l", stat.S_IFLNK, b"/etc"),
        ("l", stat.S_IFLNK, b"..\\x"),
        ("l", stat.S_IFLNK, b"x" * 5000),
        ("f", stat.S_IFIFO, b""),
        ("d", stat.S_IFCHR, b""),
        ("d/", stat.S_IFREG, b""),
        ("d", stat.S_IFDIR, b""),
        ("d/", stat.S_IFDIR, b"content"),
    ],
)
def test_a_zip_that_breaks_a_rule_is_refused(
    refused: Callable[..., LongshoreError], name: str, mode: int, data: bytes
) -> None:
    assert refused(zip_bytes(("before", b"x"), (zip_entry(name, mode), data))).code == "bad_archive"


def changed(content: bytes, sign: bytes, at: int, value: bytes) -> bytes:
    start = content.rindex(sign) + at
    return content[:start] + value + content[start + len(value) :]


@pytest.mark.parametrize(
    ("sign", "at", "value"),
    [
        (b"PK\1\2", 8, b"\1\0"),  # encrypted
        (b"PK\1\2", 10, b"\x0e\0"),  # LZMA
        (b"PK\1\2", 16, b"\0\0\0\0"),  # checksum
        (b"PK\1\2", 24, struct.pack("<L", 5)),  # says smaller
        (b"PK\1\2", 24, struct.pack("<L", 5000)),  # says larger
        (b"PK\1\2", 20, struct.pack("<L", 5)),  # packed size too small
        (b"PK\1\2", 20, struct.pack("<L", 1 << 30)),  # packed size too large
        (b"PK\1\2", 42, struct.pack("<L", 7)),  # offset into nowhere
        (b"PK\1\2", 42, struct.pack("<L", 0xFFFFFFFE)),
        (b"PK\1\2", 46, b"\xff"),  # name: not UTF-8
        (b"PK\1\2", 46, b"\0"),
        (b"PK\3\4", 30, b"z"),  # local name differs
        (b"PK\5\6", 12, struct.pack("<L", 1 << 30)),  # size of the directory
        (b"PK\5\6", 16, struct.pack("<L", 0)),
        (b"PK\5\6", 20, b"\7\0"),  # comment that is not there
    ],
)
def test_a_zip_whose_headers_lie_is_refused(
    refused: Callable[..., LongshoreError], sign: bytes, at: int, value: bytes
) -> None:
    good = zip_bytes(("name", b"some text, some text, some text"))
    assert refused(changed(good, sign, at, value)).code == "bad_archive"


def test_a_zip_that_says_it_has_two_million_members_is_refused_at_once(
    refused: Callable[..., LongshoreError],
) -> None:
    assert refused(changed(zip_bytes(("a", b"")), b"PK\5\6", 10, b"\xf0\xff")).code == "archive_too_large"


def many_members_zip(count: int) -> bytes:
    """A directory of ``count`` entries; the end record says there is one."""
    one = zip_bytes(("a", b""))
    start, end = one.index(b"PK\1\2"), one.index(b"PK\5\6")
    directory = b"".join(one[start:end][:46] + b"a" for _ in range(count))
    return one[:start] + directory + changed(one[end:], b"PK\5\6", 12, struct.pack("<L", len(directory)))


def test_memory_stays_small_for_many_members(tmp_path: Path) -> None:
    header = bytearray(tar_bytes(folder("d" * 90), format=tarfile.GNU_FORMAT)[:512])
    for content in (gzip.compress(bytes(header) * 100_000, 1), many_members_zip(100_000)):
        (tmp_path / "upload").write_bytes(content)
        del content
        tracemalloc.start()
        with pytest.raises(InvalidRequestError):
            rewrite_archive(tmp_path / "upload", tmp_path / "clean.tar", ArchiveLimits(1 << 40, 5000, 10_000))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * MEGABYTE


def test_twenty_thousand_files_fit_into_the_promised_memory(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "upload", "wb", 1) as out:
        for number in range(20_000):
            out.write(entry(f"{'n' * 80}{number}")[0].tobuf(tarfile.GNU_FORMAT) + bytes(512))
        out.write(bytes(1024))
    program = (
        "import resource, sys; from pathlib import Path; from longshore.adapters.archives import *;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "n = rewrite_archive(Path(sys.argv[1]), Path(sys.argv[2]), ArchiveLimits(1 << 30, 200_000, 1000));"
        "print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "upload"), str(tmp_path / "clean.tar")]
    count, grown = subprocess.run(argv, capture_output=True, check=True, text=True).stdout.split()
    assert int(count) == 20_000
    assert int(grown) < 12_000  # KiB


# Folders


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    top = tmp_path / "project"
    for path, text in {
        "Dockerfile": "FROM x",
        "app/main.py": "main",
        "app/run.sh": "run",
        "app/cache/a.pyc": "bytes",
        ".git/config": "secret",
        "app/vendor/.git": "gitdir: x",
    }.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    (top / "app/run.sh").chmod(0o755)
    (top / "link").symlink_to("app/main.py")
    return top


def test_a_folder_is_packed_in_order_without_git(project: Path, tmp_path: Path) -> None:
    count = pack_folder(project, tmp_path / "a.tar")
    found = listing(tmp_path / "a.tar")
    assert list(found) == sorted(found)
    assert len(found) == count == 8
    assert not any(".git" in name for name in found)
    assert (found["app/run.sh"].mode, found["link"].linkname) == (0o755, "app/main.py")


def test_the_same_folder_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    pack_folder(project, tmp_path / "a.tar")
    pack_folder(project, tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_what_is_ignored_is_not_packed_but_exceptions_are(project: Path, tmp_path: Path) -> None:
    pack_folder(project, tmp_path / "a.tar", ignore=DockerIgnore.parse("app\n!app/cache/*.pyc\nlink"))
    assert list(listing(tmp_path / "a.tar")) == ["Dockerfile", "app/cache/a.pyc"]


def test_a_subfolder_is_packed_under_its_own_names(project: Path, tmp_path: Path) -> None:
    pack_folder(project, tmp_path / "a.tar", subfolder="./app/")
    assert "main.py" in listing(tmp_path / "a.tar")


@pytest.mark.parametrize("name", ["../x", "/etc", "app/main.py", "nowhere", "a\0b", "folderlink"])
def test_a_subfolder_outside_is_refused(project: Path, tmp_path: Path, name: str) -> None:
    (project / "folderlink").symlink_to("app")
    with pytest.raises(InvalidRequestError) as caught:
        pack_folder(project, tmp_path / "a.tar", subfolder=name)
    assert caught.value.code == "bad_build_path"


@pytest.mark.parametrize("spoil", ["link", "fifo", "name"])
def test_a_folder_with_what_no_source_holds_is_refused(project: Path, tmp_path: Path, spoil: str) -> None:
    if spoil == "link":
        (project / "bad").symlink_to("../outside")
    elif spoil == "fifo":
        os.mkfifo(project / "bad")
    else:
        Path(os.fsdecode(bytes(project) + b"/bad\xff")).touch()
    with pytest.raises(InvalidRequestError, match="bad"):
        pack_folder(project, tmp_path / "a.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


def test_a_very_deep_folder_is_packed(tmp_path: Path) -> None:
    for depth in range(300, 1500, 300):  # in steps, because mkdir itself recurses
        (tmp_path / "project" / "/".join("d" * depth)).mkdir(parents=True)
    try:
        assert pack_folder(tmp_path / "project", tmp_path / "a.tar") == 1200
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "project"], check=True)  # shutil.rmtree recurses too


# Build contexts


@pytest.fixture
def source(rewrite: Rewrite) -> Path:
    return rewrite(
        tar_bytes(
            entry("Dockerfile", b"FROM root"),
            entry("app/Dockerfile", b"FROM app"),
            entry("app/main.py"),
            entry("app/secret.env"),
            entry("app/.dockerignore", b"*\n!main.py\n"),
            entry("app/docker/Dockerfile.dev", b"FROM dev"),
            entry("app/docker/Dockerfile.dev.dockerignore", b"secret.env\ndocker\n"),
            link("applink", "app"),
            link("app2/Dockerfile", "../Dockerfile"),
        )
    )


def test_the_context_is_one_folder_with_its_prefix_stripped(source: Path, tmp_path: Path) -> None:
    count = build_context(source, tmp_path / "c.tar", context="./app")
    assert count == 3
    assert sorted(TarTree(tmp_path / "c.tar").paths()) == [".dockerignore", "Dockerfile", "main.py"]


def test_the_dockerfiles_own_ignore_file_takes_precedence(source: Path, tmp_path: Path) -> None:
    build_context(source, tmp_path / "c.tar", context="app", dockerfile="docker/Dockerfile.dev")
    kept = {"docker/Dockerfile.dev", "docker/Dockerfile.dev.dockerignore", "main.py", "Dockerfile", ".dockerignore"}
    assert set(TarTree(tmp_path / "c.tar").paths()) == kept


def test_extra_files_are_added_and_replace(source: Path, tmp_path: Path) -> None:
    extra = {"Dockerfile": b"FROM mine", "deep/new": b"n"}
    build_context(source, tmp_path / "c.tar", context="app2", extra=extra)
    tree = TarTree(tmp_path / "c.tar")
    assert (tree.read_text("Dockerfile"), tree.read_text("deep/new")) == ("FROM mine", "n")
    assert b"ustar  " in (tmp_path / "c.tar").read_bytes()[:512]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a\0b", "applink", "app/main.py", "nowhere", "applink/x"])
def test_a_context_that_is_no_folder_inside_is_refused(source: Path, tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        build_context(source, tmp_path / "c.tar", context=path)
    assert caught.value.code == "bad_build_path"
    assert not (tmp_path / "c.tar").exists()


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a\0b", "applink/Dockerfile", "app2/Dockerfile", "app", "", "no"]
)
def test_a_dockerfile_that_is_no_file_inside_is_refused(source: Path, tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        build_context(source, tmp_path / "c.tar", dockerfile=path)
    assert caught.value.code == "bad_build_path"
    assert "root:" not in caught.value.message


@pytest.mark.parametrize("name", ["../x", "/x", "app", "applink/x", "Dockerfile/x", ""])
def test_an_added_file_has_to_fit_into_the_tree(source: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        build_context(source, tmp_path / "c.tar", extra={name: b""})
    assert caught.value.code == "bad_build_path"


def test_a_link_that_leaves_the_context_is_refused_unless_replaced(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="outside the build context"):
        build_context(source, tmp_path / "c.tar", context="app2", dockerfile="D", extra={"D": b""})


def test_a_tree_reads_text_up_to_a_limit_and_nothing_that_is_no_file(source: Path) -> None:
    tree = TarTree(source)
    assert tree.read_text("Dockerfile", limit=4) == "FROM"
    assert [tree.read_text(path) for path in ("applink", "app", "none")] == [None] * 3
    assert "app2/Dockerfile" not in tree.paths()
