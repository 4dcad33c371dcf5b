"""The CLI's way to the API: an address, a token, and problems turned back into errors."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import click
import httpx

from longshore.adapters import home
from longshore.errors import LongshoreError, PartDownError, UnauthenticatedError
from longshore.settings import Settings

URL, TOKEN = "LONGSHORE_URL", "LONGSHORE_TOKEN"

AGAIN_AFTER = 0.5  # seconds
REPEATED_AFTER = (0.5, 2.0, 4.0)  # seconds before each repeat of a POST: a web process that died is back within them


class ApiError(LongshoreError):
    """What the API answered instead of a view."""

    def __init__(self, problem: dict[str, Any], status: int) -> None:
        super().__init__(str(problem.get("detail", f"the API answered {status}")), hint=problem.get("hint"))
        self.code = str(problem.get("code", "error"))
        self.http_status = status


@dataclass(frozen=True)
class ServerEvent:
    """One server-sent event."""

    kind: str
    data: Any
    id: str | None


class Client:
    """Speaks v1 with a bearer token. Without ``LONGSHORE_URL`` it is the stack of this folder."""

    def __init__(self) -> None:
        settings = Settings()
        base = os.environ.get(URL) or f"http://127.0.0.1:{settings.port}"
        token = os.environ.get(TOKEN) or home.admin_token(settings)
        if token is None:
            hint = f"Run this where `longshore up` ran; or set LONGSHORE_HOME to its home, or {URL} and {TOKEN}."
            raise UnauthenticatedError("there is no stack here, and no token to ask another one with", hint=hint)
        self.base = base.rstrip("/")
        headers = {"authorization": f"Bearer {token}"}
        here = self.base.startswith(("http://127.", "http://localhost"))  # a proxy must not see this token
        patience = httpx.Timeout(30, read=120)
        self._http = httpx.Client(base_url=self.base, headers=headers, timeout=patience, trust_env=not here)

    def get(self, path: str, **params: Any) -> Any:
        """A view, or a page of views."""
        return self._ask("GET", path, params={key: value for key, value in params.items() if value is not None})

    def post(self, path: str, **content: Any) -> Any:
        """Ask for something to be made; once more, and again, when the line breaks or the web process restarts. It is
        made once: all of them carry the same key."""
        asking = partial(self._ask, "POST", path, headers={"idempotency-key": secrets.token_hex(16)}, **content)
        for number, pause in enumerate(REPEATED_AFTER):
            try:
                return asking()
            except (PartDownError, ApiError) as error:
                if not _may_pass(error, first=number == 0):
                    raise
            time.sleep(pause)
        return asking()

    def patch(self, path: str, **content: Any) -> Any:
        """What a change answered."""
        return self._ask("PATCH", path, **content)

    def delete(self, path: str) -> Any:
        """Ask for something to be taken away."""
        return self._ask("DELETE", path)

    def all(self, path: str, limit: int | None = None) -> list[Any]:
        """The items of all pages, up to ``limit``."""
        items: list[Any] = []
        cursor = None
        while True:
            page = self.get(path, cursor=cursor, limit=min(limit - len(items), 200) if limit else 200)
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None or (limit and len(items) >= limit):
                return items

    def text(self, path: str) -> Iterator[str]:
        """A plain text, piece by piece."""
        with self._streaming(path, "text/plain", {}) as response:
            yield from response.iter_text()

    def events(self, path: str, after: str | None = None) -> Iterator[ServerEvent]:
        """A stream of server-sent events, resumed when the line breaks, until ``end``."""
        last = after
        while True:
            try:
                for event in self._events_once(path, last):
                    last = event.id or last
                    yield event
                    if event.kind == "end":
                        return
            except httpx.TransportError:
                time.sleep(AGAIN_AFTER)  # the web process restarts: go on where we were
            except ApiError as error:
                if error.code != "too_many_streams":
                    raise
                time.sleep(AGAIN_AFTER)

    def _events_once(self, path: str, after: str | None) -> Iterator[ServerEvent]:
        headers = {"last-event-id": after} if after else {}
        with self._streaming(path, "text/event-stream", headers) as response:
            fields: dict[str, str] = {}
            for line in response.iter_lines():
                if not line and "data" in fields:
                    yield ServerEvent(fields.get("event", "message"), json.loads(fields["data"]), fields.get("id"))
                if not line:
                    fields = {}
                name, _, value = line.partition(": ")
                fields[name] = value

    @contextmanager
    def _streaming(self, path: str, accept: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        timeout = httpx.Timeout(10, read=60)
        with self._http.stream("GET", path, headers={"accept": accept, **headers}, timeout=timeout) as response:
            if response.is_error:
                response.read()
                raise _problem(response)
            yield response

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        try:
            response = self._http.request(method, path, **content)
        except httpx.TransportError as error:
            raise PartDownError(
                "api",
                f"nothing answers at {self.base}",
                hint=f"Is the stack up (`longshore up`)? Is {URL} right?",
            ) from error
        if response.is_error:
            raise _problem(response)
        return response.json() if response.content else None


def _may_pass(error: PartDownError | ApiError, *, first: bool) -> bool:
    """Whether asking again may help. When nobody listens at the first try, nothing broke: nothing is there."""
    if isinstance(error, ApiError):
        return error.http_status in (502, 503) or error.code == "still_running"
    broken = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError, *(() if first else (httpx.ConnectError,)))
    return isinstance(error.__cause__, broken)


def _problem(response: httpx.Response) -> ApiError:
    try:
        return ApiError(response.json(), response.status_code)
    except ValueError:
        return ApiError({}, response.status_code)


def quoted(name: str) -> str:
    """A name as it may stand in a path."""
    if "/" in name or not name:
        raise click.BadParameter(f"{name!r} is not a name")
    return name
