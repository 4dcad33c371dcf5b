"""How the router treats the requests of an app: part of the app, at once and without a deployment."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from longshore.domain.specs.base import Spec, memory_of

MESSAGE_LIMIT = 500  # characters; the router keeps a message in one buffer, encoded


class Routing(Spec):
    """Limits of its route: ``max_body`` of a request in bytes (or ``10m``), ``timeout`` of its answers in seconds.

    ``redirect_https`` counts where the router speaks TLS.
    """

    max_body: Annotated[int, Field(ge=1, le=2**50)] | None = None
    timeout: Annotated[float, Field(ge=0.1, le=3600)] | None = None
    redirect_https: bool = False

    @model_validator(mode="before")
    @classmethod
    def _read_units(cls, given: Any) -> Any:
        return (
            {**given, "max_body": memory_of(given["max_body"])}
            if isinstance(given, dict) and "max_body" in given
            else given
        )


def _plain(message: str) -> str:
    if any(not (letter.isprintable() or letter == "\n") for letter in message):
        raise ValueError("must be plain text: letters, spaces and line breaks")
    return message


Maintenance = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MESSAGE_LIMIT),
    AfterValidator(_plain),
]
