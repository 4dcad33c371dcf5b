"""Images: found, pulled, pushed. Errors come inside the stream with HTTP 200, so every line is looked at."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import requests
import urllib3
from docker.errors import APIError, ImageNotFound, NotFound

from longshore.adapters.engine.connection import Connection, explanation, translated
from longshore.domain.image_reference import ImageReference
from longshore.domain.ports import ImageFacts, OnLine, Stopped
from longshore.errors import AppError, DiskFullError, LongshoreError, PartDownError, PlatformError, TransientError

PROGRESS_EVERY = 15.0  # seconds between two lines of one layer that is on its way

_MISSING = re.compile(r"manifest unknown|not found|does not exist|name unknown|invalid reference", re.IGNORECASE)
_REFUSED = re.compile(r"denied|unauthorized|forbidden|no basic auth", re.IGNORECASE)
_NO_HOST = re.compile(r"no such host", re.IGNORECASE)  # a name that is not there; a resolver in trouble says otherwise
_FULL = re.compile(r"no space left", re.IGNORECASE)


@dataclass(frozen=True)
class Credentials:
    """The one pair of credentials there is, for the one registry it is for."""

    host: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def of(self, reference: ImageReference) -> dict[str, str] | None:
        """What to send along, given per call: the SDK's own login would keep it."""
        if self.username is None or self.password is None or reference.host != self.host:
            return None
        return {"username": self.username, "password": self.password}


def find(connection: Connection, reference: str) -> ImageFacts | None:
    """An image on the host, by id or reference."""
    with translated():
        try:
            return _facts(connection.client.inspect_image(reference))  # type: ignore[no-untyped-call]
        except (ImageNotFound, NotFound):
            return None


def ids(connection: Connection) -> frozenset[str]:
    """The ids of all images on the host, those without a name too."""
    with translated():
        return frozenset(connection.client.images(quiet=True, all=True))


def forget(connection: Connection, reference: str) -> None:
    """Take a tag away, or an image by id that no tag holds; what a container uses stays."""
    with translated():
        try:
            if reference.startswith("sha256:") and connection.client.inspect_image(reference)["RepoTags"]:  # type: ignore[no-untyped-call]
                return
            connection.client.remove_image(reference)
        except (ImageNotFound, NotFound):
            return
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise


def pull(
    connection: Connection, reference: str, credentials: Credentials, on_line: OnLine, stopped: Stopped
) -> ImageFacts:
    """Pull; whose fault a failure is follows from the registry's words."""
    wanted = ImageReference.parse(reference)
    with translated():
        try:
            lines = connection.client.pull(
                wanted.repository, tag=wanted.version, stream=True, decode=True, auth_config=credentials.of(wanted)
            )
            _follow(lines, on_line, stopped)
        except APIError as error:
            raise _not_pulled(wanted, explanation(error), credentials) from error
        except _StreamError as error:
            raise _not_pulled(wanted, str(error), credentials) from error
    facts = find(connection, str(wanted))
    if facts is None:
        raise TransientError(f"{wanted} was not pulled to the end", code="pull_incomplete")
    return facts


def push(
    connection: Connection,
    image_id: str,
    reference: str,
    credentials: Credentials,
    on_line: OnLine,
    stopped: Stopped,
) -> str:
    """Tag and push; the digest the engine reports, empty when stopped first."""
    wanted = ImageReference.parse(reference)
    with translated():
        try:
            connection.client.tag(image_id, wanted.repository, wanted.tag)
            lines = connection.client.push(
                wanted.repository, tag=wanted.tag, stream=True, decode=True, auth_config=credentials.of(wanted)
            )
            return _follow(lines, on_line, stopped)
        except NotFound as error:
            raise PlatformError(f"the engine has no image {image_id} to push", code="image_gone") from error
        except APIError as error:
            raise _not_pushed(wanted, explanation(error)) from error
        except _StreamError as error:
            raise _not_pushed(wanted, str(error)) from error


class _StreamError(Exception):
    """The stream said that it failed."""


def _follow(lines: Iterator[dict[str, Any]], on_line: OnLine, stopped: Stopped) -> str:
    """Read to the end, or until stopped; the digest, when one is told."""
    digest = ""
    told: dict[tuple[str, str], float] = {}
    try:
        for line in lines:
            if error := line.get("error"):
                raise _StreamError(str(error))
            digest = (line.get("aux") or {}).get("Digest") or digest
            _tell(line, told, on_line)
            if stopped():
                return ""
    except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError) as error:
        raise _StreamError("the engine ended the stream half-way") from error
    finally:
        getattr(lines, "close", lambda: None)()
    return digest


def _tell(line: dict[str, Any], told: dict[tuple[str, str], float], on_line: OnLine) -> None:
    """Each layer's milestones once, and how far a long one has come now and then: bars would be thousands of lines."""
    status, layer, now = str(line.get("status", "")), str(line.get("id", "")), time.monotonic()
    moved = (line.get("progressDetail") or {}).get("current")
    again = told.get((layer, status), -PROGRESS_EVERY) + PROGRESS_EVERY > now
    if status in ("Preparing", "Waiting") or not status or "progressDetail" not in line:
        return
    if again or ((layer, status) in told and not moved):
        return
    told[layer, status] = now
    on_line(f"{layer}: {status}" if layer else status)


def _not_pulled(wanted: ImageReference, text: str, credentials: Credentials) -> LongshoreError:
    ours = wanted.host == credentials.host or wanted.host.startswith("127.")
    if ours and "connection refused" in text:
        return PartDownError("registry", f"the registry does not answer: {text}")
    if _REFUSED.search(text) or _MISSING.search(text) or _NO_HOST.search(text):
        return AppError(
            f"the image {wanted} cannot be pulled: {text}",
            code="image_not_found",
            hint="Is it spelt right, does it exist, and can this host reach its registry and read it?",
        )
    return _passing(f"the image {wanted} cannot be pulled: {text}", text)


def _not_pushed(wanted: ImageReference, text: str) -> LongshoreError:
    if _REFUSED.search(text):
        return PlatformError(
            f"the registry refuses {wanted}: {text}",
            code="registry_refused",
            hint="Look at LONGSHORE_REGISTRY_USERNAME and LONGSHORE_REGISTRY_PASSWORD.",
        )
    if "refused" in text or "no such host" in text:
        return PartDownError("registry", f"the registry does not answer: {text}")
    return _passing(f"{wanted} cannot be pushed: {text}", text)


def _passing(message: str, text: str) -> LongshoreError:
    if _FULL.search(text):
        hint = "Free some space where the engine keeps its images."
        return DiskFullError("the disk is full", hint=hint)
    return TransientError(message, code="registry_error")


def _facts(image: dict[str, Any]) -> ImageFacts:
    ports = (image.get("Config") or {}).get("ExposedPorts") or {}
    tcp = sorted(int(port.partition("/")[0]) for port in ports if not port.endswith("/udp"))
    return ImageFacts(image["Id"], tuple(tcp), tuple(image.get("RepoDigests") or ()))
