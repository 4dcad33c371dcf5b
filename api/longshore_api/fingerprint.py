"""What a request asks for, as a digest: equal for a repeat, however its client wrote it down this time."""

import hashlib
import json
from collections.abc import Iterable
from typing import IO

from flask import request

from longshore_api.bodies import MULTIPART

CHUNK = 1024**2  # bytes: an upload is never in memory as a whole


def fingerprint() -> str:
    """SHA-256 over method, path, query and body of the present request; what it reads can be read again."""
    body = _of_form() if request.mimetype == MULTIPART else [_canonical(request.get_data())]
    return _digest([request.method.encode(), request.path.encode(), request.query_string, *body])


def _of_form() -> list[bytes]:
    """Fields and files one by one: every repeat has boundaries of its own."""
    fields = [("field", name, _canonical(value.encode())) for name, value in request.form.items(multi=True)]
    files = [("file", name, _content(file.stream)) for name, file in request.files.items(multi=True)]
    return [_digest([kind.encode(), name.encode(), value]).encode() for kind, name, value in sorted(fields + files)]


def _canonical(text: bytes) -> bytes:
    """JSON with its keys in order; what is none (or nested beyond reading) as it is."""
    try:
        return json.dumps(json.loads(text), sort_keys=True).encode()
    except (ValueError, RecursionError):
        return text


def _content(stream: IO[bytes]) -> bytes:
    found = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        found.update(chunk)
    stream.seek(0)
    return found.digest()


def _digest(pieces: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(b"%d:" % len(piece) + piece)  # lengths, so that no two lists read the same
    return found.hexdigest()
