"""Where a host name leads: resolved once, checked, and handed on as an address, so that DNS is not asked again."""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from longshore.adapters.git.sources import GitRules, GitSource, bad_source
from longshore.errors import StoppedError, TransientError

Resolve = Callable[[str, int], list[str]]

NAT64 = ipaddress.ip_network("64:ff9b::/96")


def resolve_host(host: str, port: int) -> list[str]:
    """Every address of a host, as the system's resolver says (also for ``127.1`` and other odd spellings)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def check_offline(source: GitSource, rules: GitRules) -> None:
    """Refuse a host that is private without asking DNS: a number in any spelling, or localhost."""
    if rules.allow_private or source.scheme == "file":
        return
    if source.host == "localhost" or source.host.endswith((".localhost", ".local", ".internal")):
        raise _private(source)
    _require_public(source, number_of(source.host))


def number_of(host: str) -> list[str]:
    """The address a host *is*, in whatever spelling (``127.1``, ``0x7f000001``); nothing for a name. Asks no DNS."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]) for *_, address in found]


def find_addresses(
    source: GitSource, rules: GitRules, resolve: Resolve, deadline: float, stopped: Callable[[], bool]
) -> list[str]:
    """The addresses to connect to. Raises TransientError (``git_unreachable``) when DNS fails or never answers,
    InvalidRequestError (``bad_git_source``) when any address is not public and the rules want that."""
    answers: SimpleQueue[list[str] | OSError] = SimpleQueue()
    # A thread, because the system's resolver can be neither timed out nor stopped.
    threading.Thread(target=_ask, args=(resolve, source, answers), daemon=True, name="git-dns").start()
    answer = _wait(answers, deadline, stopped)
    if isinstance(answer, OSError) or not answer:
        text = f"the git host '{source.host}' is not known, or DNS does not answer"
        raise TransientError(text, code="git_unreachable", hint="check the host name") from (
            answer if isinstance(answer, OSError) else None
        )
    if not rules.allow_private:
        _require_public(source, answer)
    return answer


def _ask(resolve: Resolve, source: GitSource, answers: "SimpleQueue[list[str] | OSError]") -> None:
    try:
        answers.put(resolve(source.host, source.port))
    except (OSError, UnicodeError) as exc:
        answers.put(exc if isinstance(exc, OSError) else OSError(str(exc)))


def _wait(
    answers: "SimpleQueue[list[str] | OSError]", deadline: float, stopped: Callable[[], bool]
) -> list[str] | OSError:
    while time.monotonic() < deadline:
        if stopped():
            raise StoppedError("the fetch was told to stop")
        try:
            return answers.get(timeout=0.1)
        except Empty:
            continue
    return TimeoutError("DNS did not answer in time")


def _require_public(source: GitSource, addresses: list[str]) -> None:
    if not all(is_public(address) for address in addresses):
        raise _private(source)


def is_public(address: str) -> bool:
    """Say whether an address is reachable by everyone, looking through IPv6 forms that carry an IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if (inner is not None and not is_public(str(inner))) or ip.is_site_local or ip.ipv4_mapped:
            return False
    return ip.is_global and not ip.is_multicast


def _private(source: GitSource) -> Exception:
    hint = "use a public host, or ask the operator to allow private addresses"
    return bad_source(f"'{source.host}' leads to an address that is not public", hint=hint)
