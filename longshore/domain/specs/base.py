"""What all specs are made of: the strict base, and the types of single values."""

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from longshore.domain import names
from longshore.domain.image_reference import ImageReference
from longshore.errors import InvalidRequestError

ENV_VALUE_LIMIT = 64 * 1024
ENV_LIMIT = 200


class Spec(BaseModel):
    """Something declared: unknown fields are refused, so that a typing error is not silently nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not path or "\0" in path or "\\" in path or path.startswith("/") or ".." in parts:
        raise ValueError("must be a relative path that stays inside the source, such as deploy/Dockerfile")
    return str(PurePosixPath(path))


def _image(text: str) -> str:
    try:
        ImageReference.parse(text)
    except InvalidRequestError as error:
        raise ValueError(error.message) from None
    return text


def memory_of(value: object) -> object:
    """Bytes, from a number or from words such as ``256m``."""
    return parse_bytes(value) if isinstance(value, str) else value


def parse_bytes(text: str) -> int:
    """``512m`` → 536870912. Units k, m, g (powers of 1024), with or without a ``b`` or ``ib``."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text.lower())
    if found is None:
        raise ValueError("must be a number of bytes, such as 268435456, 256m or 1g")
    return int(float(found[1]) * 1024 ** " kmgt".index(found[2] or " "))


def _env_value(value: str) -> str:
    if "\0" in value:
        raise ValueError("an environment value cannot hold a NUL character")
    return value


AppName = Annotated[
    str,
    AfterValidator(lambda name: _app_name(name)),
    Field(json_schema_extra={"pattern": f"^{names.APP_NAME}$"}),
]
Domain = Annotated[str, StringConstraints(to_lower=True, max_length=253), AfterValidator(lambda d: _domain(d))]
InsidePath = Annotated[str, StringConstraints(max_length=1024), AfterValidator(_inside)]
ImageText = Annotated[str, AfterValidator(_image)]
EnvKey = Annotated[str, StringConstraints(pattern=f"^{names.ENV_KEY}$")]
EnvValue = Annotated[str, StringConstraints(max_length=ENV_VALUE_LIMIT), AfterValidator(_env_value)]
Env = Annotated[dict[EnvKey, EnvValue], Field(max_length=ENV_LIMIT)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
Argument = Annotated[str, StringConstraints(max_length=4096)]
Command = Annotated[list[Argument], Field(min_length=1, max_length=64)]


def _app_name(name: str) -> str:
    if not names.matches(names.APP_NAME, name):
        raise ValueError("a name has 1 to 39 of a-z, 0-9 and -, begins with a letter and does not end with -")
    return name


def _domain(domain: str) -> str:
    if not names.matches(names.DOMAIN, domain):
        raise ValueError("must be a host name, such as shop.example.com")
    return domain
