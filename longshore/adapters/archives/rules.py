"""What a source tree may look like: the limits, one member, and the outline that refuses what does not fit."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from longshore.errors import InvalidRequestError, TooLargeError

MAX_PATH = 4096  # bytes; PATH_MAX of Linux
MAX_TURNS = 40  # ``..`` after a name in one link target; the kernel follows 40 links and no more


@dataclass(frozen=True)
class ArchiveLimits:
    """How large a source tree may be.

    ``max_unpacked``: bytes of all files together. ``max_members``: files, links and folders, folders that are only
    implied by a name included. ``max_ratio``: unpacked bytes per uploaded byte, applied above 10 MiB only.
    ``max_name``: bytes of one part of a path.
    """

    max_unpacked: int
    max_members: int
    max_ratio: int = 100
    max_name: int = 255


NO_LIMITS = ArchiveLimits(max_unpacked=1 << 62, max_members=1 << 62)


class Kind(Enum):
    """The three things a source tree is made of."""

    FILE = "a file"
    FOLDER = "a folder"
    LINK = "a symbolic link"


@dataclass(frozen=True, slots=True)
class Member:
    """One entry as a reader found it; ``name`` is raw until `Outline.add` has looked at it.

    ``content`` gives exactly ``size`` bytes once, or raises. ``offset`` is where they begin in the stream of a tar.
    """

    name: str
    kind: Kind
    size: int = 0
    executable: bool = False
    mtime: int = 0
    target: str = ""
    content: Iterable[bytes] = ()
    offset: int = 0


class Outline:
    """The shape of the tree so far, in bounded memory: a 16-byte digest per path, never the paths themselves.

    What it promises about the members it let through: every name is relative and clean, no name comes twice (folders
    may), nothing lies below a file or a link, and no link leads out of the tree however it is followed. The last one
    holds because a link is resolved textually, which is exact only where ``..`` follows real folders: such places are
    remembered as crossed, and a link may never be in one.
    """

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits
        self._kinds: dict[bytes, Kind] = {}
        self._crossed: set[bytes] = set()
        self._members = 0
        self._bytes = 0

    def add(self, member: Member) -> str:
        """Take one member in and return its clean path (``""`` for the root folder itself).

        Raises InvalidRequestError (``bad_archive``) or TooLargeError (``archive_too_large``).
        """
        self._count(member)
        parts = clean_parts(member.name, self._limits.max_name)
        if not parts and member.kind is not Kind.FOLDER:
            raise refuse(member.name, "it has no name")
        if parts:
            self._require_folders(member.name, parts[:-1])
            self._place(member, "/".join(parts))
        if member.kind is Kind.LINK:
            self._check_link(member, parts[:-1])
        return "/".join(parts)

    def _count(self, member: Member) -> None:
        self._members += 1
        self._bytes += member.size
        if self._bytes > self._limits.max_unpacked:
            raise too_large(member.name, f"with it the files are larger than {self._limits.max_unpacked} bytes")
        known = max(self._members, len(self._kinds) + len(self._crossed))
        if known > self._limits.max_members:
            raise too_large(member.name, f"it is one more than {self._limits.max_members} files and folders")

    def _place(self, member: Member, path: str) -> None:
        key = _digest(path)
        before = self._kinds.get(key)
        if before is not None and not before is member.kind is Kind.FOLDER:
            raise refuse(member.name, f"the name comes twice, first as {before.value}")
        if member.kind is Kind.LINK and key in self._crossed:
            raise refuse(member.name, "another link's target goes up (..) from below this link")
        self._kinds[key] = member.kind

    def _require_folders(self, name: str, parts: list[str]) -> None:
        """Every folder above must be one; those not seen yet are noted. Known folders have known parents."""
        while parts:
            key = _digest("/".join(parts))
            kind = self._kinds.get(key)
            if kind is Kind.FOLDER:
                return
            if kind is not None:
                raise refuse(name, f"it lies below {kind.value}, {shown('/'.join(parts))}")
            self._kinds[key] = Kind.FOLDER
            parts = parts[:-1]

    def _check_link(self, member: Member, folder: list[str]) -> None:
        for crossed in follow_link(member.name, folder, member.target)[1]:
            self._cross(member.name, crossed)

    def _cross(self, name: str, parts: list[str]) -> None:
        """From now on none of these folders may be a link. A crossed place has crossed parents."""
        while parts:
            key = _digest("/".join(parts))
            if self._kinds.get(key) is Kind.LINK:
                raise refuse(name, f"its target goes up (..) from below another link, {shown('/'.join(parts))}")
            if key in self._crossed:
                return
            self._crossed.add(key)
            parts = parts[:-1]


def follow_link(name: str, folder: list[str], target: str) -> tuple[list[str], list[list[str]]]:
    """Resolve a link's target textually: (where it leads, the places from which it went up after a name).

    ``folder`` is where the link lies. Raises InvalidRequestError (``bad_archive``) when it leaves the tree.
    """
    _check_target(name, target)
    here, real, crossed = list(folder), len(folder), []
    for step in target.split("/"):
        if step == "..":
            if not here:
                raise refuse(name, f"it is a link that points outside the tree, to {shown(target)}")
            if len(here) > real:
                crossed.append(list(here))
            here.pop()
            real = min(real, len(here))
        elif step not in ("", "."):
            here.append(step)
    if len(crossed) > MAX_TURNS:
        raise refuse(name, "its target goes up and down too often")
    return here, crossed


def _check_target(name: str, target: str) -> None:
    if not target or "\0" in target:
        raise refuse(name, "it is a link with an empty or broken target")
    if target.startswith("/"):
        raise refuse(name, f"it is a link to an absolute path, {shown(target)}", hint="use a relative link")
    if len(_utf8(target)) >= MAX_PATH:
        raise refuse(name, f"its target is longer than {MAX_PATH} bytes")


def clean_parts(name: str, max_name: int = 255) -> list[str]:
    """The parts of a relative path, without empty ones and ``.``; raises InvalidRequestError (``bad_archive``)."""
    if "\0" in name:
        raise refuse(name, "the name holds a NUL")
    if len(_utf8(name)) > MAX_PATH:
        raise refuse(name, f"the path is longer than {MAX_PATH} bytes")
    if name.startswith("/"):
        raise refuse(name, "the path is absolute")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refuse(name, "the path holds '..'")
    if any(len(part.encode()) > max_name for part in parts):
        raise refuse(name, f"a part of the path is longer than {max_name} bytes")
    return parts


def _utf8(name: str) -> bytes:
    try:
        return name.encode()
    except UnicodeEncodeError as exc:
        raise refuse(name, "the name is not UTF-8") from exc


def _digest(path: str) -> bytes:
    return hashlib.blake2b(path.encode(), digest_size=16).digest()


def shown(name: str, longest: int = 120) -> str:
    """A hostile name made harmless for a message: controls, bidi marks and bad bytes escaped, cut when long."""
    short = name if len(name) <= longest else f"{name[:longest]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)


def refuse(name: str, rule: str, *, hint: str | None = None) -> InvalidRequestError:
    """The error for a member that breaks a rule."""
    text = f"the archive was refused at '{shown(name)}': {rule}"
    return InvalidRequestError(text, code="bad_archive", hint=hint or "leave it out or pack the folder again")


def broken(rule: str, *, hint: str | None = None) -> InvalidRequestError:
    """The error for an archive that cannot be read at all."""
    return InvalidRequestError(f"the archive cannot be read: {rule}", code="bad_archive", hint=hint or "pack it again")


def too_large(name: str, rule: str) -> TooLargeError:
    """The error for a member with which the archive breaks a limit."""
    hint = "leave out what the build does not need (.git, node_modules, .venv), or ask for a larger limit"
    return TooLargeError(f"the archive was refused at '{shown(name)}': {rule}", code="archive_too_large", hint=hint)
