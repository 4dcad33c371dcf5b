"""BuildKit through the Engine API: ``POST /build?version=2`` with the context as body, and no session.

Its answer is a stream of JSON lines; errors come inside it, with HTTP 200.
"""

import base64
import contextlib
import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from docker.errors import APIError

from longshore.adapters.builder.failure import build_failed
from longshore.adapters.builder.stream import followed
from longshore.adapters.builder.trace import Trace
from longshore.adapters.engine.connection import Connection, explanation, translated
from longshore.domain.ports import BuildNews, BuildRequest
from longshore.errors import TransientError


class EngineApiRung:
    """The fastest rung."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def build(self, request: BuildRequest) -> Iterator[Iterator[BuildNews | None]]:
        """News until the image is made."""
        with translated(), request.context.open("rb") as body:
            response = post_build(self._connection, request, body, version="2")
            with followed(lambda: read_news(messages(response)), lambda: hang_up(response)) as news:
                yield news


def post_build(connection: Connection, request: BuildRequest, body: Any, **more: str) -> requests.Response:
    """``POST /build``; ``version="2"`` asks for BuildKit. The answer is a stream that is still to be read."""
    client: Any = connection.client  # its inner calls keep the SDK's connection settings and TLS
    params = {
        "dockerfile": request.dockerfile,
        "t": request.tag,
        "labels": json.dumps(dict(request.labels)),
        "buildargs": json.dumps(dict(request.args)),
        "target": request.target or "",
        "rm": "1",
        "forcerm": "1",
        **more,
    }
    response: requests.Response = client._post(
        client._url("/build"),
        data=body,
        params=params,
        headers={"Content-Type": "application/x-tar"},
        stream=True,
        timeout=None,
    )
    try:
        client._raise_for_status(response)
    except APIError as error:
        raise build_failed(explanation(error)) from error
    return response


def messages(response: requests.Response) -> Iterator[dict[str, Any]]:
    """The JSON lines of the answer; ``TransientError`` when it ends half-way."""
    try:
        for line in response.iter_lines(chunk_size=None):
            if line:
                yield json.loads(line)
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError) as error:
        raise TransientError("the engine ended the build's stream half-way", code="build_cut") from error


def hang_up(response: requests.Response) -> None:
    """Cancels a build that still runs. A close alone would not wake the thread that reads."""
    with contextlib.suppress(Exception):
        raw: Any = response.raw
        raw._fp.fp.raw._sock.shutdown(socket.SHUT_RDWR)  # the socket under http.client's buffered reader
    response.close()


def read_news(answer: Iterable[dict[str, Any]]) -> Iterator[BuildNews]:
    """The engine's messages as news; its error, in the end, as ours."""
    trace = Trace()
    for message in answer:
        if "error" in message:
            yield from trace.rest()
            raise build_failed(str(message["error"]), step=trace.failed)
        if message.get("id") == "moby.buildkit.trace":
            yield from trace.read(base64.b64decode(message["aux"]))
