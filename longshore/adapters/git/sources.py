"""Which git addresses and refs are taken: syntax and scheme rules, without the network."""

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

from longshore.errors import InvalidRequestError

MAX_URL = 2000

_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,200}")
_BAD_REF = re.compile(r"\.\.|//|/\.|\.lock(/|$)|[./]$")
_COMMIT = re.compile(r"[0-9a-f]{40}")

_HOST = r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
_PATH_CHARS = r"[A-Za-z0-9._~/%+@:,=-]"
_URL = re.compile(
    rf"(?P<scheme>[a-z]+)://(?:(?P<user>[^\s@/\\?#]{{1,500}})@)?{_HOST}(?::(?P<port>[0-9]{{1,5}}))?(?P<path>/{_PATH_CHARS}*)"
)
_SCP = re.compile(rf"(?:(?P<user>[^\s@/\\?#:]{{1,64}})@)?{_HOST}:(?P<path>(?![:-]){_PATH_CHARS}+)")
_FILE = re.compile(r"(?:file://)?(?P<path>/[^\x00-\x1f\x7f]+)")
_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")

PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}


@dataclass(frozen=True)
class GitRules:
    """What this installation lets git reach. ``timeout`` is in seconds and spans a whole fetch, submodules included.

    https and ssh to public addresses are always allowed. ``allow_private`` also admits loopback, private and
    link-local addresses; ``allow_local`` paths on this machine (``/srv/repo``, ``file:///srv/repo``).
    """

    allow_http: bool = False
    allow_git: bool = False
    allow_private: bool = False
    allow_local: bool = False
    timeout: float = 120

    @property
    def schemes(self) -> list[str]:
        """The transports git may use."""
        optional = {"http": self.allow_http, "git": self.allow_git, "file": self.allow_local}
        return ["https", "ssh", *(scheme for scheme, allowed in optional.items() if allowed)]


@dataclass(frozen=True)
class GitSource:
    """A git address in parts. ``userinfo`` may hold a password and is never printed."""

    scheme: str
    host: str = ""  # lower case, without brackets; empty for a local path
    port: int = 0
    path: str = ""
    userinfo: str = ""
    scp_like: bool = False  # ``git@host:path``: the path is relative to the home of that login

    def url(self, host: str | None = None) -> str:
        """The address git is given, without a password; ``host`` stands in for the name."""
        if self.scheme == "file":
            return self.path
        login = f"{self.userinfo}@" if self.scheme == "ssh" and self.userinfo else ""
        name = host or self.host
        bracketed = f"[{name}]" if ":" in name else name
        if self.scp_like:
            return f"{login}{bracketed}:{self.path}"
        port = f":{self.port}" if self.port != PORTS[self.scheme] else ""
        return f"{self.scheme}://{login}{bracketed}{port}{self.path}"

    @property
    def shown(self) -> str:
        """The address for people, with any login of http(s) masked."""
        if self.scheme == "ssh" or not self.userinfo:
            return self.url()
        return self.url().replace("://", "://***@", 1)

    @property
    def secrets(self) -> list[str]:
        """Texts that must not appear in any line or message."""
        if self.scheme == "ssh" or not self.userinfo:
            return []
        parts = [self.userinfo, *self.userinfo.split(":", 1)[-1:]]
        return sorted({form for part in parts for form in (part, unquote(part)) if form}, key=len, reverse=True)

    def related(self, steps: str) -> "GitSource":
        """The source a submodule names relatively (``../other.git``); raises InvalidRequestError when it leaves."""
        parts = self.path.rstrip("/").split("/")
        for step in steps.split("/"):
            if step == ".." and parts in ([], [""]):
                raise bad_source("a submodule's relative address goes above its host")
            if step == "..":
                parts.pop()
            elif step not in ("", "."):
                parts.append(step)
        return replace(self, path="/".join(parts))


def parse_source(url: str, rules: GitRules) -> GitSource:
    """Read a git address; raises InvalidRequestError (``bad_git_source``) for any the rules do not allow."""
    if len(url) > MAX_URL or not url.isprintable() or "::" in _without_brackets(url) or url.startswith("-"):
        raise bad_source("this is not a git address")
    if found := _FILE.fullmatch(url):
        source = GitSource("file", path=found["path"])
    elif found := _URL.fullmatch(url):
        source = _from_url(found)
    elif "://" not in url and (found := _SCP.fullmatch(url)):
        source = GitSource("ssh", _host(found), 22, found["path"], found["user"] or "", scp_like=True)
    else:
        raise bad_source("this is not a git address", hint="use https://host/path.git or git@host:path.git")
    return _allowed(source, rules)


def _without_brackets(url: str) -> str:
    return re.sub(r"\[[0-9A-Fa-f:.]+\]", "", url)


def _from_url(found: re.Match[str]) -> GitSource:
    scheme = found["scheme"]
    if scheme not in PORTS:
        raise bad_source(f"'{scheme}' is not a transport that is taken", hint="use https or ssh")
    port = int(found["port"] or PORTS[scheme])
    if not 0 < port < 65536:
        raise bad_source("the port is out of range")
    return GitSource(scheme, _host(found), port, found["path"], found["user"] or "")


def _host(found: re.Match[str]) -> str:
    return found["host"].strip("[]").lower()


def _allowed(source: GitSource, rules: GitRules) -> GitSource:
    if source.scheme not in rules.schemes:
        what = "a path on this machine" if source.scheme == "file" else f"the transport '{source.scheme}'"
        raise bad_source(f"{what} is not allowed here", hint="use https or ssh, or ask the operator to allow it")
    if source.scheme == "ssh" and source.userinfo and not _LOGIN.fullmatch(source.userinfo):
        raise bad_source("the login must be a plain name, without a password", hint="ssh uses the worker's key")
    if source.scheme == "git" and source.userinfo:
        raise bad_source("the git protocol has no logins")
    return source


def check_ref(ref: str | None) -> str:
    """The ref to ask for, ``HEAD`` when none was given; raises InvalidRequestError (``bad_git_source``)."""
    if ref is None:
        return "HEAD"
    if not _REF.fullmatch(ref) or _BAD_REF.search(ref):
        raise bad_source("the ref must be a branch, a tag or a full commit", hint="letters, digits and . _ / - only")
    return ref


def is_commit(ref: str) -> bool:
    """Say whether a ref is a full commit id."""
    return bool(_COMMIT.fullmatch(ref))


def bad_source(why: str, *, hint: str | None = None) -> InvalidRequestError:
    """The error for an address or ref that may not be asked."""
    return InvalidRequestError(f"git source refused: {why}", code="bad_git_source", hint=hint)
