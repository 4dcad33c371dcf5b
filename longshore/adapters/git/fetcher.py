"""Fetch one commit, and its submodules, into a folder."""

import base64
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from longshore.adapters.git.addresses import Resolve, check_offline, find_addresses, number_of, resolve_host
from longshore.adapters.git.command import Outcome, Watch, environment, run_git
from longshore.adapters.git.failures import failure, ref_not_found
from longshore.adapters.git.sources import GitRules, GitSource, bad_source, check_ref, is_commit, parse_source
from longshore.errors import PlatformError

MAX_DEPTH = 5  # submodules of submodules
MAX_SUBMODULES = 100  # in one fetch

_SAFE_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.symlinks": "true",  # kept as links: pack_folder refuses those that leave the tree
    "core.protectNTFS": "true",
    "core.protectHFS": "true",
    "core.fsmonitor": "false",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "protocol.ext.allow": "never",
    "advice.detachedHead": "false",
}


class GitFetcher:
    """Brings sources from git under the rules of this installation.

    ``resolve`` is how a host name becomes addresses; tests put their own in.
    """

    def __init__(self, rules: GitRules, *, resolve: Resolve = resolve_host) -> None:
        self._rules = rules
        self._resolve = resolve

    def check(self, url: str, ref: str | None) -> None:
        """Refuse at once what can be refused without the network or a process.

        Raises InvalidRequestError (``bad_git_source``): syntax, transport, a host that is plainly private, the ref.
        """
        check_offline(parse_source(url, self._rules), self._rules)
        check_ref(ref)

    def fetch(
        self,
        url: str,
        ref: str | None,
        into: Path,
        *,
        on_line: Callable[[str], None],
        stopped: Callable[[], bool],
    ) -> str:
        """Check out ``ref`` (branch, tag, full commit; default: what the host calls HEAD) and return its commit.

        ``into`` must not exist, or be empty; it appears complete, with submodules and without ``.git``, or not at all.
        A hostile tree may be too deep for ``shutil.rmtree``: remove it with ``remove_tree``. Raises
        InvalidRequestError (``bad_git_source``: also an address that turns out private, or such a submodule),
        AppError (``git_ref_not_found``; ``git_failed``: no such repository, no access, ...), TransientError
        (``git_unreachable``: no DNS, no connection, no answer in time; a repeat may help), PlatformError
        (``git_missing``) and StoppedError.
        """
        source = parse_source(url, self._rules)
        check_offline(source, self._rules)
        wanted = check_ref(ref)
        deadline = time.monotonic() + self._rules.timeout
        _make_room(into)
        watch = Watch(on_line, stopped, deadline, self._rules.timeout)
        work = Path(tempfile.mkdtemp(prefix=".git-", dir=into.parent))
        try:
            commit = _Visit(self._rules, self._resolve, watch, work).take(source, wanted, work / "tree", depth=0)
            (work / "tree").rename(into)
        finally:
            remove_tree(work)
        return commit


def remove_tree(folder: Path) -> None:
    """Remove a folder of any depth. ``shutil.rmtree`` recurses and fails on a tree a thousand folders deep."""
    try:
        shutil.rmtree(folder)
    except (RecursionError, OSError):
        subprocess.run(["rm", "-rf", "--", str(folder.absolute())], check=False, stdin=subprocess.DEVNULL)


def _make_room(into: Path) -> None:
    try:
        into.rmdir()
    except FileNotFoundError:
        return
    except OSError as exc:
        raise PlatformError(f"'{into.name}' exists already and is not an empty folder", code="git_failed") from exc


@dataclass
class _Visit:
    """One fetch: its work folder, its deadline, and how many submodules it has seen."""

    rules: GitRules
    resolve: Resolve
    watch: Watch
    work: Path
    submodules: int = 0

    def take(self, source: GitSource, ref: str, tree: Path, depth: int) -> str:
        """Fetch one repository into ``tree``, then its submodules; return the commit."""
        self.watch.on_line(f"Fetching {source.shown} at {ref}")
        repo = self._repository(source, tree)
        commit = repo.fetch(ref)
        repo.must("checkout", "--quiet", "--force", "--detach", commit)
        for path, url in repo.submodules(commit).items():
            self._take_submodule(repo, commit, path, url, depth + 1)
        shutil.rmtree(repo.git_dir)
        return commit

    def _take_submodule(self, repo: "_Repository", commit: str, path: str, url: str, depth: int) -> None:
        self.submodules += 1
        if depth > MAX_DEPTH or self.submodules > MAX_SUBMODULES:
            raise bad_source(f"more than {MAX_SUBMODULES} submodules, or nested deeper than {MAX_DEPTH}")
        pinned = repo.pinned_commit(commit, path)
        if pinned is None:
            return
        if url.startswith(("./", "../")):
            source = _checked_again(repo.source.related(url), self.rules)
        else:
            source = parse_source(url, self.rules)
        check_offline(source, self.rules)
        self.take(source, pinned, _folder_inside(repo.tree, path), depth)

    def _repository(self, source: GitSource, tree: Path) -> "_Repository":
        """A new empty git folder beside the tree, with the host's address pinned."""
        host, pins, ssh = self._pins(source)
        git_dir = Path(tempfile.mkdtemp(prefix="git-", dir=self.work))
        tree.mkdir(exist_ok=True)
        env = environment(self.work, self.rules.schemes, ssh, {**_SAFE_CONFIG, **pins, **_login(source)})
        repo = _Repository(source, source.url(host), git_dir, tree, env, self.watch)
        repo.must("init", "--quiet", "--template=")
        return repo

    def _pins(self, source: GitSource) -> tuple[str | None, Mapping[str, str], str]:
        """(host to write into the address instead of the name, settings, ssh command).

        After this no name is looked up again. curl is told the addresses, so that TLS still checks the name; ssh gets
        the address and keeps the name for its host key; the git protocol is simply spoken to the address.
        """
        ssh = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]
        if source.scheme == "file":
            return None, {}, shlex.join(ssh)
        found = find_addresses(source, self.rules, self.resolve, self.watch.deadline, self.watch.stopped)
        first = found[0]
        ssh += ["-o", f"HostName={first}", "-o", f"HostKeyAlias={source.host}", "-o", "ConnectTimeout=30"]
        if source.scheme == "git" or number_of(source.host):
            return first, {}, shlex.join(ssh)
        if source.scheme == "ssh":
            return None, {}, shlex.join(ssh)
        listed = ",".join(f"[{address}]" if ":" in address else address for address in found)
        return None, {"http.curloptResolve": f"{source.host}:{source.port}:{listed}"}, shlex.join(ssh)


@dataclass
class _Repository:
    """A bare git folder and the tree it is checked out to, kept apart so that no tree ever holds a ``.git``."""

    source: GitSource
    url: str
    git_dir: Path
    tree: Path
    env: dict[str, str] = field(repr=False)
    watch: Watch

    def run(self, *arguments: str) -> Outcome:
        where = [f"--git-dir={self.git_dir}", f"--work-tree={self.tree}"]
        return run_git([*where, *arguments], env=self.env, cwd=self.tree, watch=self.watch, clean=self._clean)

    def must(self, *arguments: str) -> str:
        """Run git; its answer, or the error its last lines stand for."""
        outcome = self.run(*arguments)
        if outcome.status:
            raise failure(self.source, outcome.lines)
        return outcome.answer

    def fetch(self, ref: str) -> str:
        """Bring one commit, as little else as the host lets us, and return its id."""
        outcome = self._shallow(ref)
        if outcome.status and is_commit(ref) and _refuses_commits(outcome):
            return self._commit_of_everything(ref)
        if outcome.status:
            raise failure(self.source, outcome.lines, ref)
        return self._resolve("FETCH_HEAD", ref)

    def _shallow(self, ref: str) -> Outcome:
        options = ["--progress", "--depth=1", "--no-tags", "--no-recurse-submodules"]
        return self.run("fetch", *options, "--", self.url, ref)

    def _commit_of_everything(self, commit: str) -> str:
        """For hosts that give out branches and tags only."""
        self.watch.on_line("The host does not give out single commits: fetching everything")
        refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        options = ["--progress", "--no-tags", "--no-recurse-submodules"]
        self.must("fetch", *options, "--", self.url, *refs)
        return self._resolve(commit, commit)

    def _resolve(self, name: str, ref: str) -> str:
        outcome = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        commit = outcome.answer.strip()
        if outcome.status or not is_commit(commit):
            raise ref_not_found(self.source, ref)
        return commit

    def submodules(self, commit: str) -> dict[str, str]:
        """Path -> address, from the commit's ``.gitmodules``."""
        listed = self.tree / ".gitmodules"
        if listed.is_symlink() or not listed.is_file():
            return {}
        pattern = r"^submodule\..*\.(path|url)$"
        answer = self.run("config", "--blob", f"{commit}:.gitmodules", "--null", "--get-regexp", pattern).answer
        found: dict[str, dict[str, str]] = {}
        for record in answer.split("\0"):
            key, _, value = record.partition("\n")
            name, _, what = key.rpartition(".")
            found.setdefault(name, {})[what] = value
        return {each["path"]: each["url"] for each in found.values() if {"path", "url"} <= each.keys()}

    def pinned_commit(self, commit: str, path: str) -> str | None:
        """The commit of a submodule, or nothing when the tree holds no submodule there."""
        answer = self.must("ls-tree", "-z", "--full-tree", commit, "--", path)
        mode, _, rest = answer.partition(" ")
        return rest.split("\t")[0].removeprefix("commit ") if mode == "160000" else None

    def _clean(self, line: str) -> str:
        for secret in self.source.secrets:
            line = line.replace(secret, "***")
        return "".join(char if char.isprintable() else " " for char in line)


def _checked_again(source: GitSource, rules: GitRules) -> GitSource:
    """A derived source under the same rules as a written one."""
    login = f"{source.userinfo}@" if source.userinfo and source.scheme != "ssh" else ""
    return parse_source(source.url().replace("://", f"://{login}", 1), rules)


def _login(source: GitSource) -> dict[str, str]:
    """A login for http(s) as a header from the environment: an address with a password would show in ``ps``."""
    if source.scheme not in ("https", "http") or not source.userinfo:
        return {}
    user, _, password = source.userinfo.partition(":")
    token = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return {"http.extraHeader": f"Authorization: Basic {token}"}


def _refuses_commits(outcome: Outcome) -> bool:
    said = "\n".join(outcome.lines)
    return "unadvertised object" in said or "not our ref" in said or "couldn't find remote ref" in said


def _folder_inside(tree: Path, path: str) -> Path:
    """Where a submodule goes: an empty folder git made for it, reached through no link."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or any(part.lower() == ".git" for part in parts):
        raise bad_source("a submodule's path leaves the source")
    folder = tree
    for part in parts:
        folder = folder / part
        if folder.is_symlink() or not folder.is_dir():
            raise bad_source("a submodule's path goes through a link or a file")
    if any(folder.iterdir()):
        raise bad_source("two submodules share one path")
    return folder
