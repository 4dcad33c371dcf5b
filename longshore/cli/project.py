"""``longshore.toml``: what a project declares about itself, and the folder packed for upload."""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from longshore.adapters.archives import pack_folder
from longshore.domain.dockerignore import DockerIgnore
from longshore.domain.names import APP_NAME
from longshore.domain.specs import (
    AppName,
    Build,
    Command,
    Domain,
    Env,
    Hardening,
    HealthCheck,
    Hooks,
    OneOff,
    Port,
    Process,
    ProcessName,
    Resources,
    Seconds,
    Strategy,
    Volume,
    VolumeName,
)
from longshore.errors import InvalidRequestError
from longshore.settings import Settings

FILE = "longshore.toml"


class Project(BaseModel):
    """The file's content; all of it may be left out."""

    model_config = ConfigDict(extra="forbid")

    name: AppName | None = None
    port: Port | None = None
    replicas: int | None = Field(None, ge=1, le=100)
    command: Command | None = None
    domains: list[Domain] | None = None
    queue: Literal["newest", "all"] | None = None
    health_check: HealthCheck | None = None
    resources: Resources | None = None
    hardening: Hardening | None = None
    build: Build | None = None
    processes: dict[ProcessName, Process] | None = None
    release_command: OneOff | None = None
    hooks: Hooks | None = None
    volumes: dict[VolumeName, Volume] | None = None
    strategy: Strategy | None = None
    soak: Seconds | None = None
    env: Env | None = None

    def config(self) -> dict[str, Any]:
        """What goes with a deployment."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"name", "domains", "queue"})

    def of_the_app(self) -> dict[str, Any]:
        """What an app that is missing is made with."""
        return {"domains": self.domains or [], "queue": self.queue or "newest"}


def read(folder: Path) -> Project:
    """The project of a folder; ``InvalidRequestError`` says which field is wrong."""
    path = folder / FILE
    if not path.exists():
        return Project()
    try:
        return Project.model_validate(tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"{path} is not TOML: {error}", code="bad_project") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        unknown = first["type"] == "extra_forbidden"
        words = "there is no such setting" if unknown else first["msg"].removeprefix("Value error, ")
        raise InvalidRequestError(f"{path}: {field}: {words}", code="bad_project") from error


def name_of(folder: Path, project: Project, given: str | None) -> str:
    """The app's name: as given, as declared, else the folder's name made to fit."""
    if given or project.name:
        return given or project.name or ""
    made = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:39].rstrip("-")
    if not re.fullmatch(APP_NAME, made):
        raise InvalidRequestError(
            f"no app name can be made of the folder {folder.resolve().name!r}",
            code="no_name",
            hint="Give one with --app NAME, or `name = …` in longshore.toml.",
        )
    return made


def pack(folder: Path, into: Path, project: Project) -> int:
    """The folder as an archive, ``.dockerignore`` honoured; how many files and folders it has."""
    build = project.build or Build()
    ignore_file = folder / build.context / ".dockerignore"
    keep = {build.dockerfile or "Dockerfile", ".dockerignore"}
    at_top = build.context == "." and ignore_file.exists()
    text = ignore_file.read_text() if at_top else ""
    patterns = [*_made_here(folder), text, _home_inside(folder)]
    ignore = DockerIgnore.parse("\n".join(patterns), always_keep=keep)
    return pack_folder(folder, into, ignore=ignore)


def _made_here(folder: Path) -> list[str]:
    """What was made for this machine only: a virtual environment links out of the tree. ``!`` brings it back."""
    found = [path.parent.relative_to(folder) for path in [*folder.glob("*/pyvenv.cfg"), *folder.glob("*/*/pyvenv.cfg")]]
    return ["**/__pycache__", "**/.venv", *map(str, found)]


def _home_inside(folder: Path) -> str:
    """A stack's state, with its keys, is no part of a source even when it lies in the folder."""
    home = Settings().root
    return str(home.relative_to(folder.resolve())) if home.is_relative_to(folder.resolve()) else ".longshore"
