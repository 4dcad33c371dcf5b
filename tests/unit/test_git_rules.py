"""Which git addresses and refs are taken, decided without a network and without a process."""

import socket
import subprocess
from pathlib import Path

import pytest

from longshore.adapters.git import GitFetcher, GitRules
from longshore.adapters.git.addresses import is_public
from longshore.adapters.git.command import environment
from longshore.adapters.git.failures import failure
from longshore.adapters.git.sources import parse_source
from longshore.errors import AppError, InvalidRequestError, TransientError

STRICT = GitRules()
OPEN = GitRules(allow_http=True, allow_git=True, allow_private=True, allow_local=True)

HOSTILE_URLS = [
    "ext::sh -c touch% /tmp/pwn",
    "ext::sh",
    "fd::17/foo",
    "https::https://example.com/x",
    "--upload-pack=touch /tmp/pwn",
    "-oProxyCommand=id",
    "ssh://-oProxyCommand=id/x",
    "ssh://-oProxyCommand=id@example.com/x",
    "-oProxyCommand=id@example.com:x",
    "git@-oProxyCommand=id:x",
    "git@example.com:-oProxyCommand=id",
    "ssh://git:pw@example.com/x",
    "ssh://a;b@example.com/x",
    "ftp://example.com/x",
    "HTTPS://example.com/x",
    "javascript://example.com/x",
    "https://",
    "https:///x",
    "https://example.com",
    "https://example.com:99999/x",
    "https://example.com:0/x",
    "https://example.com/x?y",
    "https://example.com/x#y",
    "https://example.com/x\\y",
    "https://exa mple.com/x",
    "https://example.com/x\n",
    "https://example.com/x\0",
    "https://example.com/$(id)",
    "https://example.com/;id",
    "https://a@b@example.com/x",
    "https://example.com\\@127.0.0.1/x",
    "https://bücher.example/x",
    "https://example.com/" + "x" * 3000,
    "file://host/path",
    "relative/path",
    "./repo",
    "",
]
NOT_BY_DEFAULT = ["http://example.com/x", "git://example.com/x", "file:///srv/repo", "/srv/repo"]
PRIVATE_URLS = [
    f"https://{host}/x"
    for host in (
        *("127.0.0.1", "127.1", "0x7f000001", "2130706433", "0", "017700000001", "0251.0376.0251.0376"),
        *("10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255"),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:8.8.8.8]", "[fe80::1]"),
        *("[fd00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "localhost", "LOCALHOST", "a.localhost"),
        "metadata.google.internal",
    )
]
GOOD_URLS = [
    "https://github.com/pallets/flask",
    "https://github.com:8443/pallets/flask.git",
    "https://user:p%40ss@git.example.com/~me/x.git",
    "https://token@git.example.com/x",
    "ssh://git@git.example.com:2222/x.git",
    "git@github.com:pallets/flask.git",
    "git.example.com:x",
    "https://8.8.8.8/x",
    "https://[2606:4700::1111]/x",
]


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **kwargs: object) -> None:
        pytest.fail("a process was started")

    monkeypatch.setattr(subprocess, "Popen", never)


def refused(rules: GitRules, url: str, ref: str | None = None) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        GitFetcher(rules).check(url, ref)
    assert caught.value.code == "bad_git_source"
    return caught.value


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_a_hostile_address_is_refused_under_any_rules(url: str) -> None:
    refused(STRICT, url)
    refused(OPEN, url)


@pytest.mark.parametrize("url", NOT_BY_DEFAULT)
def test_other_transports_only_where_the_rules_allow_them(url: str) -> None:
    refused(STRICT, url)
    GitFetcher(OPEN).check(url, None)


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_a_private_host_in_any_spelling_is_refused_without_dns(url: str) -> None:
    refused(STRICT, url)
    GitFetcher(OPEN).check(url, None)


@pytest.mark.parametrize("url", GOOD_URLS)
def test_ordinary_addresses_are_taken(url: str) -> None:
    GitFetcher(STRICT).check(url, "main")


@pytest.mark.parametrize("ref", ["main", "v1.0", "feature/a_b-c", "0" * 40, "refs/heads/main", None])
def test_ordinary_refs_are_taken(ref: str | None) -> None:
    GitFetcher(STRICT).check("https://example.com/x", ref)


@pytest.mark.parametrize(
    "ref",
    [
        *("", "-h", "--output=/tmp/x", "--upload-pack=id", "a;touch /tmp/pwn", "$(id)", "`id`", "a b", "a\nb", "a\n"),
        *("a..b", "a:b", "+a", "^a", "a~1", "a^{}", "a@{1}", "a\\b", "a*", "a//b", "a/", "a.", "a.lock", "a/.b", "ü"),
        *("a\0", "x" * 300, "/a", ".a"),
    ],
)
def test_a_hostile_ref_is_refused(ref: str) -> None:
    refused(OPEN, "https://example.com/x", ref)


@pytest.mark.parametrize("address", ["10.0.0.1", "::ffff:8.8.8.8", "fec0::1", "fe80::1%eth0", "64:ff9b::a00:1", "::"])
def test_an_address_that_hides_a_private_one_is_not_public(address: str) -> None:
    assert not is_public(address)
    assert is_public("8.8.8.8")


def test_a_name_that_leads_to_one_private_address_is_refused_before_any_process(tmp_path: Path) -> None:
    fetcher = GitFetcher(STRICT, resolve=lambda host, port: ["8.8.8.8", "169.254.169.254"])
    with pytest.raises(InvalidRequestError, match="not public"):
        fetcher.fetch("https://a.example/x", None, tmp_path / "into", on_line=print, stopped=lambda: False)
    assert list(tmp_path.iterdir()) == []


def test_a_name_nobody_knows_may_be_known_later(tmp_path: Path) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    with pytest.raises(TransientError) as caught:
        GitFetcher(STRICT, resolve=unknown).fetch(
            "https://a.example/x", None, tmp_path / "into", on_line=print, stopped=lambda: False
        )
    assert caught.value.code == "git_unreachable"


def test_a_password_is_in_no_message_and_in_no_argument() -> None:
    source = parse_source("https://me:s3cr%40t@git.example.com/x.git", STRICT)
    assert source.shown == "https://***@git.example.com/x.git"
    assert source.url() == "https://git.example.com/x.git"
    assert {"s3cr%40t", "s3cr@t", "me:s3cr@t"} <= set(source.secrets)


@pytest.mark.parametrize(
    ("url", "steps", "found"),
    [
        ("https://h.example/a/b.git", "../c.git", "https://h.example/a/c.git"),
        ("https://h.example/a/b.git", "./c", "https://h.example/a/b.git/c"),
        ("git@h.example:a/b", "../c", "git@h.example:a/c"),
        ("ssh://git@h.example:2222/a/b", "../../c/d", "ssh://git@h.example:2222/c/d"),
    ],
)
def test_a_submodule_may_name_its_address_relatively(url: str, steps: str, found: str) -> None:
    assert parse_source(url, STRICT).related(steps).url() == found


def test_a_relative_address_may_not_climb_above_its_host() -> None:
    with pytest.raises(InvalidRequestError):
        parse_source("https://h.example/a/b", STRICT).related("../../../../x")


def test_git_sees_nothing_of_our_environment_but_path_and_site_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_SECRET_KEY", "canary")
    monkeypatch.setenv("GIT_SSH", "/evil")
    monkeypatch.setenv("https_proxy", "http://evil")
    for name in ("GIT_SSL_CAINFO", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "/site/ca.pem")
    env = environment(Path("/nowhere"), STRICT.schemes, "ssh", {"a.b": "c"})
    assert not {"LONGSHORE_SECRET_KEY", "GIT_SSH", "https_proxy"} & env.keys()
    assert (env["SSL_CERT_FILE"], env["GIT_SSL_CAINFO"]) == ("/site/ca.pem", "/site/ca.pem")
    assert (env["GIT_ALLOW_PROTOCOL"], env["GIT_CONFIG_VALUE_0"]) == ("https:ssh", "c")


@pytest.mark.parametrize(
    ("line", "kind", "code"),
    [
        ("fatal: couldn't find remote ref nope", AppError, "git_ref_not_found"),
        ("fatal: repository 'https://x/' not found", AppError, "git_failed"),
        ("fatal: Authentication failed for 'https://x/'", AppError, "git_failed"),
        ("git@x: Permission denied (publickey).", AppError, "git_failed"),
        ("fatal: unable to access 'x': Failed to connect to x port 443", TransientError, "git_unreachable"),
        ("fatal: unable to access 'x': The requested URL returned error: 503", TransientError, "git_unreachable"),
        ("ssh: connect to host x port 22: Connection refused", TransientError, "git_unreachable"),
    ],
)
def test_gits_last_words_become_the_right_error(line: str, kind: type, code: str) -> None:
    tail = ["fatal: Could not read from remote repository.", "", "and the repository exists."]
    error = failure(parse_source("https://x.example/y", STRICT), [line, *tail], "nope")
    assert (type(error), error.code) == (kind, code)
    if code != "git_ref_not_found":
        assert line in error.message
