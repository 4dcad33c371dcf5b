"""Paths that a user names for a build (context, Dockerfile, subfolder): relative, and nowhere else."""

from longshore.adapters.archives.rules import clean_parts, shown
from longshore.errors import InvalidRequestError


def build_path(path: str, what: str) -> list[str]:
    """The parts of a path inside the source; raises InvalidRequestError (``bad_build_path``)."""
    try:
        return clean_parts(path)
    except InvalidRequestError as exc:
        rule = exc.message.rpartition("': ")[2]
        raise bad_build_path(path, f"{what} must be a relative path inside the source: {rule}") from exc


def bad_build_path(path: str, why: str, *, hint: str | None = None) -> InvalidRequestError:
    """The error for a path that cannot be built from."""
    return InvalidRequestError(f"'{shown(path)}': {why}", code="bad_build_path", hint=hint)
