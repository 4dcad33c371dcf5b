"""What can be declared: one set of types for the HTTP API, ``longshore.toml``, the rows and the release snapshot."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

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


def _memory(value: object) -> object:
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


def _app_name(name: str) -> str:
    if not names.matches(names.APP_NAME, name):
        raise ValueError("a name has 1 to 39 of a-z, 0-9 and -, begins with a letter and does not end with -")
    return name


def _domain(domain: str) -> str:
    if not names.matches(names.DOMAIN, domain):
        raise ValueError("must be a host name, such as shop.example.com")
    return domain


class HealthCheck(Spec):
    """When a replica counts as healthy. Without a declared one: GET ``/``, any answer below 500.

    A path of its own is there to answer well: then a status of 200 to 399, unless ``status`` says otherwise.
    """

    kind: Literal["http", "tcp"] = "http"
    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$", max_length=1024)] = "/"
    status: Annotated[str, StringConstraints(pattern=r"^[1-5]\d\d(-[1-5]\d\d)?$")] | None = None
    host: Domain | None = None
    body: Annotated[str, StringConstraints(max_length=1024)] | None = None
    timeout: Annotated[float, Field(gt=0, le=60)] = 5
    min_healthy_time: Seconds = 0
    healthy_deadline: Annotated[float, Field(gt=0, le=3600)] = 60

    @property
    def wanted(self) -> str:
        """The range of statuses that are healthy."""
        return self.status or ("100-499" if self.path == "/" else "200-399")

    def accepts(self, status: int) -> bool:
        """Whether an answer with this status is a healthy one."""
        low, _, high = self.wanted.partition("-")
        return int(low) <= status <= int(high or low)


class Resources(Spec):
    """Limits of one replica: ``cpus`` in cores, ``memory`` in bytes (or ``256m``), ``pids`` in processes."""

    cpus: Annotated[float, Field(ge=0.01, le=1024)] | None = None
    memory: Annotated[int, Field(ge=6 * 1024**2)] | None = None
    pids: Annotated[int, Field(ge=2, le=65536)] = 256

    @model_validator(mode="before")
    @classmethod
    def _read_units(cls, given: Any) -> Any:
        return {**given, "memory": _memory(given["memory"])} if isinstance(given, dict) and "memory" in given else given


class Hardening(Spec):
    """How much less than the usual a container may do."""

    capabilities: Literal["default", "none"] = "default"
    read_only: bool = False


# Build arguments reach programs of ours by their environment; these would change what those programs do.
_OURS = re.compile(r"LD_.*|DOCKER_.*|BUILDX_.*|BUILDKIT_.*|OTEL_.*|GO[A-Z]*|SSL_.*|PATH|HOME|TMPDIR")


def _arguments(args: dict[str, str]) -> dict[str, str]:
    for key in args:
        if _OURS.fullmatch(key):
            raise ValueError(f"{key} cannot be a build argument: programs of the host obey it")
    return args


class Build(Spec):
    """How the image is made. All paths lie inside the source; ``dockerfile`` is relative to ``context``."""

    dockerfile: InsidePath | None = None
    context: InsidePath = "."
    target: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")] | None = None
    args: Annotated[Env, AfterValidator(_arguments)] = Field(default_factory=dict)


class GitSource(Spec):
    """A repository and a branch, tag or commit (default: its HEAD)."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    ref: Annotated[str, StringConstraints(min_length=1, max_length=201)] | None = None


class Source(Spec):
    """Where code or an image comes from: exactly one of the two."""

    git: GitSource | None = None
    image: ImageText | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.git is None) == (self.image is None):
            raise ValueError("a source is either git or image")
        return self


class Config(Spec):
    """What belongs to a release, without its environment (which is kept encrypted, apart)."""

    port: Port | None = None
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    command: Annotated[list[Argument], Field(min_length=1, max_length=64)] | None = None
    health_check: HealthCheck = Field(default_factory=HealthCheck)
    resources: Resources = Field(default_factory=Resources)
    hardening: Hardening = Field(default_factory=Hardening)
    build: Build = Field(default_factory=Build)


CONFIG_FIELDS = frozenset(Config.model_fields) | {"env"}


def compose_patches(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """One patch that does what the first and then the second would do: their nulls stay."""
    composed = dict(first)
    for key, value in second.items():
        below = composed.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        composed[key] = compose_patches(below, value) if both else value  # type: ignore[arg-type]
    return composed


def merge_patch(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7396): null removes, objects merge, anything else replaces."""
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            below = merged.get(key)
            merged[key] = merge_patch(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged
