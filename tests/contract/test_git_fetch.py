"""Fetching from a real git server over HTTP, made by the test itself."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from longshore.adapters.archives import TarTree, pack_folder
from longshore.adapters.git import GitFetcher, GitRules
from longshore.errors import AppError, InvalidRequestError, LongshoreError, StoppedError, TransientError

RULES = GitRules(allow_http=True, allow_private=True, timeout=30)
PLAIN = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": f"{who}@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(folder: Path, *arguments: str) -> str:
    argv = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *arguments]
    return subprocess.run(argv, cwd=folder, env=PLAIN, check=True, capture_output=True, text=True).stdout.strip()


class Backend(BaseHTTPRequestHandler):
    """``git http-backend`` as a CGI program; ``/moved/`` redirects, ``/login/`` wants a password."""

    root: Path
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization", ""))
        path, _, query = self.path.partition("?")
        if path.startswith("/moved/"):
            return self._empty(302, "Location", self.path.removeprefix("/moved"))
        if path.startswith("/login/") and self.headers.get("Authorization") != "Basic bWU6czNjckB0":
            return self._empty(401, "WWW-Authenticate", "Basic realm=x")
        return self._cgi(path.removeprefix("/login"), query)

    def do_POST(self) -> None:
        self.do_GET()

    def _empty(self, status: int, name: str, value: str) -> None:
        self.send_response(status)
        self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _cgi(self, path: str, query: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        env = PLAIN | {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    Backend.root, Backend.seen = tmp_path / "served", []
    Backend.root.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture
def repo(server: str, tmp_path: Path) -> Path:
    """``app`` with a submodule ``lib``, two commits, a branch and a tag."""
    served = Backend.root
    for name in ("lib", "app"):
        git(served, "init", name)
        (served / name / "README").write_text(name)
        git(served / name, "add", ".")
        git(served / name, "commit", "-m", "one")
    app = served / "app"
    git(app, "tag", "-a", "v1", "-m", "v1")
    git(app, "submodule", "add", str(served / "lib"), "deps/lib")
    git(app, "config", "-f", ".gitmodules", "submodule.deps/lib.url", "../lib")
    (app / "link").symlink_to("README")
    git(app, "add", ".")
    git(app, "commit", "-m", "two")
    git(app, "branch", "feature/x")
    return app


Fetch = Callable[..., str]


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    def run(url: str, ref: str | None = None, rules: GitRules = RULES, **more: object) -> str:
        watch = {"on_line": lines.append, "stopped": lambda: False} | more
        resolve = watch.pop("resolve", None)
        fetcher = GitFetcher(rules, resolve=resolve) if resolve else GitFetcher(rules)
        return fetcher.fetch(url, ref, tmp_path / "into", **watch)

    lines: list[str] = []
    run.lines = lines
    return run


@pytest.fixture
def failing(fetch: Fetch, tmp_path: Path) -> Callable[..., LongshoreError]:
    def run(*args: object, **more: object) -> LongshoreError:
        before = set(tmp_path.iterdir())
        with pytest.raises(LongshoreError) as caught:
            fetch(*args, **more)
        assert set(tmp_path.iterdir()) == before, "something half-made was left behind"
        return caught.value

    return run


def test_the_default_branch_comes_with_its_submodule_and_without_git(
    server: str, repo: Path, fetch: Fetch, tmp_path: Path
) -> None:
    assert fetch(f"{server}/app") == git(repo, "rev-parse", "HEAD")
    into = tmp_path / "into"
    assert (into / "deps/lib/README").read_text() == "lib"
    assert (into / "link").is_symlink()
    assert not list(into.rglob(".git"))
    pack_folder(into, tmp_path / "a.tar")
    assert "deps/lib/README" in TarTree(tmp_path / "a.tar").paths()
    assert any("Fetching" in line for line in fetch.lines)


@pytest.mark.parametrize(("ref", "same_as"), [("feature/x", "HEAD"), ("v1", "v1^{commit}"), ("main", "HEAD")])
def test_a_branch_and_a_tag_are_found(server: str, repo: Path, fetch: Fetch, ref: str, same_as: str) -> None:
    assert fetch(f"{server}/app", ref) == git(repo, "rev-parse", same_as)


def test_an_older_commit_is_found_also_where_the_host_gives_out_refs_only(
    server: str, repo: Path, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = git(repo, "rev-parse", "HEAD~1")
    monkeypatch.setitem(PLAIN, "GIT_CONFIG_COUNT", "1")
    monkeypatch.setitem(PLAIN, "GIT_CONFIG_KEY_0", "protocol.version")
    monkeypatch.setitem(PLAIN, "GIT_CONFIG_VALUE_0", "0")
    assert fetch(f"{server}/app", first) == first
    assert not (tmp_path / "into/deps").exists()


def test_a_commit_that_is_refused_is_searched_in_everything(
    server: str, repo: Path, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = git(repo, "rev-parse", "HEAD~1")
    original = Backend._cgi

    def without_protocol_2(self: Backend, path: str, query: str) -> None:
        del self.headers["Git-Protocol"]
        original(self, path, query)

    monkeypatch.setattr(Backend, "_cgi", without_protocol_2)
    git(repo, "tag", "-d", "v1")
    assert fetch(f"{server}/app", first) == first
    assert any("everything" in line for line in fetch.lines)


@pytest.mark.parametrize("ref", ["no-such-branch", "1" * 40])
def test_a_missing_ref_is_told_as_such(
    server: str, repo: Path, failing: Callable[..., LongshoreError], ref: str
) -> None:
    error = failing(f"{server}/app", ref)
    assert (type(error), error.code) == (AppError, "git_ref_not_found")
    assert ref in error.message


def test_a_missing_repository_is_the_sources_fault(server: str, failing: Callable[..., LongshoreError]) -> None:
    error = failing(f"{server}/nothing.git")
    assert (type(error), error.code) == (AppError, "git_failed")
    assert "not found" in error.message


def test_a_redirect_is_not_followed(server: str, repo: Path, failing: Callable[..., LongshoreError]) -> None:
    error = failing(f"{server}/moved/app")
    assert error.code == "git_failed"
    assert "redirect" in (error.hint or "")


def test_a_login_is_sent_and_never_shown(server: str, repo: Path, fetch: Fetch, failing: Callable) -> None:
    url = server.replace("http://", "http://me:{}@") + "/login/app"
    error = failing(url.format("wrong-pw"), "main")
    assert error.code == "git_failed"
    assert "wrong-pw" not in error.message + str(fetch.lines)
    fetch(url.format("s3cr%40t"), "v1")
    assert "s3cr" not in str(fetch.lines)


def test_the_address_is_pinned_and_dns_is_asked_once(server: str, repo: Path, fetch: Fetch) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    fetch(server.replace("127.0.0.1", "nowhere.invalid") + "/app", "v1", resolve=resolve)
    assert asked == ["nowhere.invalid"]


@pytest.fixture
def silent() -> Iterator[str]:
    """A host that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x.git"


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


def test_a_host_that_never_answers_ends_in_time(silent: str, failing: Callable[..., LongshoreError]) -> None:
    before, begin = children(), time.monotonic()
    error = failing(silent, rules=GitRules(allow_http=True, allow_private=True, timeout=0.8))
    assert (type(error), error.code) == (TransientError, "git_unreachable")
    assert time.monotonic() - begin < 2
    assert children() <= before


def test_a_fetch_that_is_told_to_stop_stops_at_once(silent: str, failing: Callable[..., LongshoreError]) -> None:
    begin = time.monotonic()
    error = failing(silent, stopped=lambda: time.monotonic() - begin > 0.4)
    assert isinstance(error, StoppedError)
    assert time.monotonic() - begin < 1.5


def test_a_host_that_is_down_may_come_back(failing: Callable[..., LongshoreError]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failing(f"http://127.0.0.1:{port}/x").code == "git_unreachable"


def set_gitmodules(repo: Path, **fields: str) -> None:
    for name, value in fields.items():
        git(repo, "config", "-f", ".gitmodules", f"submodule.deps/lib.{name}", value)
    git(repo, "commit", "-am", "changed")


@pytest.mark.parametrize(
    "url", ["ext::sh -c 'touch {canary}'", "file:///etc", "/etc", "-u./x", "ssh://-oX=y/z", "../" * 9]
)
def test_a_submodule_is_bound_by_the_same_rules(
    server: str, repo: Path, failing: Callable[..., LongshoreError], tmp_path: Path, url: str
) -> None:
    set_gitmodules(repo, url=url.format(canary=tmp_path / "canary"))
    error = failing(f"{server}/app")
    assert (type(error), error.code) == (InvalidRequestError, "bad_git_source")


def test_a_submodule_behind_a_link_is_refused_or_left_out(
    server: str, repo: Path, fetch: Fetch, tmp_path: Path
) -> None:
    (repo / "deps2").symlink_to(tmp_path)
    git(repo, "add", "deps2")
    set_gitmodules(repo, path="deps2/lib")
    fetch(f"{server}/app")
    assert not (tmp_path / "lib").exists()


def test_a_submodule_of_itself_ends(server: str, repo: Path, failing: Callable[..., LongshoreError]) -> None:
    set_gitmodules(repo, url="../app")
    commit = git(repo, "rev-parse", "HEAD")
    git(repo, "update-index", "--cacheinfo", f"160000,{commit},deps/lib")
    git(repo, "commit", "-m", "itself")
    for _ in range(6):
        commit = git(repo, "rev-parse", "HEAD")
        git(repo, "update-index", "--cacheinfo", f"160000,{commit},deps/lib")
        git(repo, "commit", "-m", "itself")
    git(repo, "config", "uploadpack.allowAnySHA1InWant", "true")
    assert "nested deeper" in failing(f"{server}/app").message


def test_a_local_path_only_where_it_is_allowed(repo: Path, fetch: Fetch, failing: Callable) -> None:
    assert failing(str(repo)).code == "bad_git_source"
    assert fetch(f"file://{repo}", "v1", rules=GitRules(allow_local=True)) == git(repo, "rev-parse", "v1^{commit}")


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        ("ext::sh -c touch% {canary}", None),
        ("--upload-pack=touch {canary};git-upload-pack", None),
        ("ssh://-oProxyCommand=touch%20{canary}/x", None),
        ("https://127.1/x", None),
        ("https://[::ffff:169.254.169.254]/x", None),
        ("file:///etc", None),
        ("https://example.com/x", "-h"),
        ("https://example.com/x", "--output={canary}"),
        ("https://example.com/x", "a;touch {canary}"),
        ("https://example.com/x", "$(touch {canary})"),
    ],
)
def test_what_is_hostile_starts_no_process(
    failing: Callable[..., LongshoreError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, ref: str | None
) -> None:
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **more: started.append(args))
    canary = tmp_path / "canary"
    error = failing(url.format(canary=canary), ref and ref.format(canary=canary), rules=GitRules())
    assert error.code == "bad_git_source"
    assert not started
    assert not canary.exists()


def test_ssh_goes_to_the_resolved_address_and_keeps_the_name_for_its_key(
    failing: Callable[..., LongshoreError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "ssh"
    fake.parent.mkdir()
    (tmp_path / "said").touch()
    fake.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\necho "Permission denied (publickey)." >&2\nexit 255\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    error = failing("ssh://git@h.example:2222/x.git", resolve=lambda host, port: ["8.8.8.8"])
    assert (error.code, "publickey" in error.message) == ("git_failed", True)
    said = (tmp_path / "said").read_text()
    for words in ("BatchMode=yes", "HostName=8.8.8.8", "HostKeyAlias=h.example", "-p 2222 git@h.example"):
        assert words in said
