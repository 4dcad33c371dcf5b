"""From a clean tar of the whole source to the tar that is sent to the builder."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from longshore.adapters.archives.paths import bad_build_path, build_path
from longshore.adapters.archives.rules import Kind, Member, follow_link, shown
from longshore.adapters.archives.tar_in import TarStream, read_tar
from longshore.adapters.archives.tar_out import CleanTar, clean_tar
from longshore.domain.dockerignore import MAX_TEXT, DockerIgnore
from longshore.domain.tree import SourceTree
from longshore.errors import InvalidRequestError


class TarTree(SourceTree):
    """A clean tar as a source tree; it is indexed once and holds no open file.

    Only for tars made by ``rewrite_archive``, ``pack_folder`` or ``build_context``: nothing is checked again.
    """

    def __init__(self, path_to_tar: Path) -> None:
        self._path = path_to_tar
        self._members = {member.name.rstrip("/"): _without_content(member) for member in _members(path_to_tar)}

    def paths(self) -> Iterable[str]:
        """Every regular file, in the order of the tar."""
        return [path for path, member in self._members.items() if member.kind is Kind.FILE]

    def read_text(self, path: str, limit: int = 256 * 1024) -> str | None:
        """The first ``limit`` bytes of a file as text (bad bytes replaced); ``None`` when there is no such file."""
        member = self._members.get(path)
        if member is None or member.kind is not Kind.FILE:
            return None
        with self._path.open("rb") as file:
            file.seek(member.offset)
            return file.read(min(limit, member.size)).decode("utf-8", "replace")

    def kind(self, path: str) -> Kind | None:
        """What lies at a path: also for folders that are only implied by the names below them."""
        if path in self._members:
            return self._members[path].kind
        below = f"{path}/"
        return Kind.FOLDER if not path or any(name.startswith(below) for name in self._members) else None

    def is_link(self, path: str) -> bool:
        """Whether a symbolic link lies there."""
        return self.kind(path) is Kind.LINK

    def passes_link(self, parts: list[str]) -> bool:
        """Say whether a path is, or goes through, a symbolic link."""
        return any(self.kind("/".join(parts[: n + 1])) is Kind.LINK for n in range(len(parts)))


def build_context(
    source: Path,
    into: Path,
    *,
    context: str = "",
    dockerfile: str = "Dockerfile",
    extra: Mapping[str, bytes] | None = None,
) -> int:
    """Make the tar a builder is given from a clean tar of the source; return its number of members.

    Only what lies below the folder ``context`` (``""`` or ``"."``: everything) is taken, with that prefix stripped,
    less what ``<dockerfile>.dockerignore``, or else ``.dockerignore``, excludes. ``dockerfile`` is relative to
    ``context`` and always kept. ``extra`` (path inside the context -> content) adds files and replaces files or links
    of the same name, also the Dockerfile, which then need not be in the source; it is not subject to the ignore file.

    Raises InvalidRequestError: ``bad_build_path`` when the context or the Dockerfile is missing, lies outside, or is
    reached through a link, and when a link leaves the context (the engine would refuse it with a worse text);
    ``bad_dockerignore`` for an ignore file that cannot be used.
    """
    added = {"/".join(build_path(name, "an added file")): content for name, content in (extra or {}).items()}
    tree = TarTree(source)
    top = build_path(context, "the build context")
    _require_context(tree, top)
    recipe = build_path(dockerfile, "the Dockerfile")
    _require_dockerfile(tree, top, recipe, added)
    for name in added:
        _require_room(tree, top, name)
    ignore = _ignore_file(tree, top, "/".join(recipe), added)
    with clean_tar(into) as tar:
        for path, member in _below(source, "/".join(top)):
            if path not in added and not ignore.excludes(path):
                _require_inside(path, member)
                tar.add(path, member)
        _add_extra(tar, added)
    return tar.members


def _members(tar: Path) -> Iterator[Member]:
    with tar.open("rb") as file:
        yield from read_tar(TarStream(file, can_seek=True))


def _without_content(member: Member) -> Member:
    return replace(member, content=())


def _below(source: Path, top: str) -> Iterator[tuple[str, Member]]:
    """The members inside the context under their names there."""
    prefix = f"{top}/" if top else ""
    for member in _members(source):
        path = member.name.rstrip("/")
        if path.startswith(prefix):
            yield path.removeprefix(prefix), member


def _add_extra(tar: CleanTar, added: Mapping[str, bytes]) -> None:
    for path, content in sorted(added.items()):
        tar.add(path, Member(path, Kind.FILE, len(content), content=(content,)))


def _require_context(tree: TarTree, top: list[str]) -> None:
    path = "/".join(top)
    if tree.passes_link(top):
        raise bad_build_path(path, "the build context is reached through a symbolic link")
    if tree.kind(path) is not Kind.FOLDER:
        raise bad_build_path(path, "there is no such folder in the source", hint="set context to a folder in it")


def _require_dockerfile(tree: TarTree, top: list[str], recipe: list[str], added: Mapping[str, bytes]) -> None:
    path = "/".join(recipe)
    if path in added:
        return
    if tree.passes_link([*top, *recipe]):
        raise bad_build_path(path, "the Dockerfile is, or is reached through, a symbolic link")
    if tree.kind("/".join([*top, *recipe])) is not Kind.FILE or not recipe:
        raise bad_build_path(path, "there is no such Dockerfile in the build context", hint="set dockerfile")


def _require_room(tree: TarTree, top: list[str], name: str) -> None:
    """An added file may replace a file or a link, but may not lie below one or stand for a folder."""
    parts = [*top, *name.split("/")]
    above = ("/".join(parts[:n]) for n in range(len(top) + 1, len(parts)))
    if tree.kind("/".join(parts)) is Kind.FOLDER or not name:
        raise bad_build_path(name, "a file cannot be added here, it is a folder in the source")
    if any(tree.kind(path) in (Kind.FILE, Kind.LINK) for path in above):
        raise bad_build_path(name, "a file cannot be added here, it would lie below a file or a link")


def _require_inside(path: str, member: Member) -> None:
    if member.kind is not Kind.LINK:
        return
    try:
        follow_link(path, path.split("/")[:-1], member.target)
    except InvalidRequestError as exc:
        why = f"it is a link that points outside the build context, to {shown(member.target)}"
        hint = "set context to a folder that holds both, or add the link to .dockerignore"
        raise bad_build_path(path, why, hint=hint) from exc


def _ignore_file(tree: TarTree, top: list[str], recipe: str, added: Mapping[str, bytes]) -> DockerIgnore:
    """The ignore file that counts for this Dockerfile; what it must never exclude is told to it."""
    for name in (f"{recipe}.dockerignore", ".dockerignore"):
        text = _ignore_text(tree, top, name, added)
        if text is not None:
            return DockerIgnore.parse(text, always_keep=(recipe, name))
    return DockerIgnore.parse("")


def _ignore_text(tree: TarTree, top: list[str], name: str, added: Mapping[str, bytes]) -> str | None:
    if name in added:
        return added[name].decode("utf-8", "replace")
    parts = [*top, *name.split("/")]
    if tree.passes_link(parts):
        raise bad_build_path(name, "it is, or is reached through, a symbolic link")
    return tree.read_text("/".join(parts), limit=4 * MAX_TEXT + 1)
