"""Errors that say what happened, whose fault it is, and what to do next.

Adapters translate once at their boundary (``raise … from exc``); the API, the CLI and the job runner each map
them once at their exit. A message never holds a secret and never a traceback.
"""

from enum import StrEnum
from typing import ClassVar


class Fault(StrEnum):
    """Whose fault an error is."""

    REQUEST = "request"  # what was asked for cannot be done as asked
    APP = "app"  # the user's code, image or configuration
    PLATFORM = "platform"  # Longshore or a part it stands on


class LongshoreError(Exception):
    """Something went wrong that a person can read about.

    ``code`` is stable and for programs; ``message`` and ``hint`` are for people. ``retryable`` says whether the
    very same attempt may go well a little later.
    """

    code: str = "error"
    fault: ClassVar[Fault] = Fault.PLATFORM
    retryable: ClassVar[bool] = False
    status: ClassVar[int] = 500  # the HTTP status this kind of error is told with

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code:
            self.code = code


class InvalidRequestError(LongshoreError):
    """The request says something that cannot be."""

    code = "invalid"
    fault = Fault.REQUEST
    status = 400


class UnprocessableError(InvalidRequestError):
    """The request is well formed, but its values do not fit."""

    code = "unprocessable"
    status = 422


class UnauthenticatedError(InvalidRequestError):
    """Nobody we know is asking."""

    code = "unauthenticated"
    status = 401


class ForbiddenError(InvalidRequestError):
    """We know who asks, and they may not."""

    code = "forbidden"
    status = 403


class NotFoundError(InvalidRequestError):
    """What was asked for is not there (or not there for this token)."""

    code = "not_found"
    status = 404


class ConflictError(InvalidRequestError):
    """The request does not fit the present state."""

    code = "conflict"
    status = 409


class TooLargeError(InvalidRequestError):
    """The body, or what it unpacks to, is over a limit."""

    code = "too_large"
    status = 413


class UnsupportedError(InvalidRequestError):
    """The body is of a kind that is not understood here."""

    code = "unsupported_media_type"
    status = 415


class AppError(LongshoreError):
    """The user's app, image, Dockerfile or configuration failed; trying again changes nothing."""

    code = "app_failed"
    fault = Fault.APP
    status = 422


class PlatformError(LongshoreError):
    """Longshore, or a part it stands on, failed in a way that trying again does not mend."""

    code = "platform_failed"


class DiskFullError(PlatformError):
    """There is no room left on a disk of ours."""

    code = "disk_full"
    status = 507


class TransientError(PlatformError):
    """A part failed in a way that is likely to pass."""

    code = "transient"
    retryable = True
    status = 503


class PartDownError(TransientError):
    """A part (engine, registry, router, redis, database) does not answer. Work waits until it does.

    ``part`` is the name under which ``/readyz`` shows it.
    """

    code = "part_down"

    def __init__(self, part: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.part = part


class NotNowError(TransientError):
    """A command of the app's own said that it is too early. It is run again later; no attempt is counted."""

    code = "not_now"


class StoppedError(LongshoreError):
    """The work was told to stop: a sibling failed, or the fence moved on. Nothing more may be done."""

    code = "stopped"
