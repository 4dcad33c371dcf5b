"""What git's own words mean: whose fault, and whether trying again helps.

Transient: the host was not reached, dropped the connection, or answered 5xx or 429. Everything else is the source's:
no such repository or ref, no access, a damaged repository, a certificate nobody here trusts.
"""

from longshore.adapters.git.sources import GitSource
from longshore.errors import AppError, LongshoreError, TransientError

_PASSING = (
    "Could not resolve host",
    "Temporary failure in name resolution",
    "Failed to connect",
    "Couldn't connect to server",
    "unable to connect to",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Connection closed by",
    "Operation timed out",
    "No route to host",
    "Network is unreachable",
    "Empty reply from server",
    "early EOF",
    "unexpected disconnect",
    "transfer closed",
    "returned error: 5",
    "returned error: 429",
)
_NO_REF = ("couldn't find remote ref", "unadvertised object", "not our ref")
_EMPTY_WORDS = (
    "Could not read from remote repository",
    "Please make sure you have the correct access rights",
    "and the repository exists",
)


def failure(source: GitSource, lines: list[str], ref: str = "") -> LongshoreError:
    """The error that the last lines of a failed git stand for."""
    said = "\n".join(lines)
    if ref and any(words in said for words in _NO_REF):
        return ref_not_found(source, ref)
    last = _meaningful(lines)
    text = f"{source.shown} could not be fetched: {last}"
    if any(words in said for words in _PASSING):
        return TransientError(text, code="git_unreachable", hint="check that the host is up and reachable")
    return AppError(text, code="git_failed", hint=_hint(said))


def ref_not_found(source: GitSource, ref: str) -> AppError:
    """The error for a branch, tag or commit the host does not have."""
    if ref == "HEAD":
        text = f"{source.shown} has no commit yet"
    else:
        text = f"{source.shown} has no branch, tag or commit '{ref}'"
    return AppError(
        text, code="git_ref_not_found", hint="give a branch, a tag or a full 40-digit commit that is pushed"
    )


def _hint(said: str) -> str:
    if "returned error: 30" in said or "redirect" in said:
        return "the host redirects, which is not followed: use the address it redirects to"
    return "check the address, and that the worker may read the repository"


def _meaningful(lines: list[str]) -> str:
    speaking = [line for line in lines if line and not any(words in line for words in _EMPTY_WORDS)]
    fatal = [line for line in speaking if line.startswith(("fatal:", "error:", "ERROR:"))]
    return (fatal or speaking or lines or ["git said nothing"])[-1]
