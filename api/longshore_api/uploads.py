"""An uploaded build context: to disk, then rewritten member by member; what was sent is gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import request

from longshore.errors import InvalidRequestError
from longshore.services import Services, disk


def accept(services: Services) -> dict[str, Any]:
    """The source of a deployment: where the clean archive is kept, and what it was called."""
    file = request.files.get("source")
    if file is None:
        raise one_of("the field `source` is missing: it holds the archive")
    disk.need_room(services)
    incoming = services.settings.root / "uploads"
    incoming.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=incoming, prefix=".incoming-") as folder:
        path = Path(folder) / "archive"
        file.save(path)
        return {"upload": services.files.accept(path), "name": (file.filename or "archive")[:200]}


@contextmanager
def gone_if_refused(services: Services, source: dict[str, Any]) -> Iterator[None]:
    """An upload whose deployment is refused goes at once. After any other error the rows may have been committed all
    the same; then ``clean`` looks whether anything needs it."""
    try:
        yield
    except InvalidRequestError:
        if "upload" in source:
            services.files.forget(source["upload"])
        raise


def one_of(message: str) -> InvalidRequestError:
    """A source that is missing, or there twice."""
    return InvalidRequestError(
        message,
        code="bad_source",
        hint='{"source": {"git": {"url": …}}}, {"source": {"image": …}}, {"release": n}, or an upload.',
    )
