"""What can be declared: one set of types for the HTTP API, ``longshore.toml``, the rows and the release snapshot."""

from longshore.domain.specs.base import (
    AppName,
    Argument,
    Command,
    Domain,
    Env,
    EnvKey,
    EnvValue,
    Port,
    Seconds,
    Spec,
    parse_bytes,
)
from longshore.domain.specs.build import Build, GitSource, Source
from longshore.domain.specs.config import CONFIG_FIELDS, Config, VolumeName
from longshore.domain.specs.container import Hardening, Resources, Volume
from longshore.domain.specs.health import HealthCheck
from longshore.domain.specs.patch import compose_patches, merge_patch
from longshore.domain.specs.process import Hooks, OneOff, Process, ProcessName
from longshore.domain.specs.rollout import Strategy
from longshore.domain.specs.routing import Maintenance, Routing

__all__ = [
    "CONFIG_FIELDS",
    "AppName",
    "Argument",
    "Build",
    "Command",
    "Config",
    "Domain",
    "Env",
    "EnvKey",
    "EnvValue",
    "GitSource",
    "Hardening",
    "HealthCheck",
    "Hooks",
    "Maintenance",
    "OneOff",
    "Port",
    "Process",
    "ProcessName",
    "Resources",
    "Routing",
    "Seconds",
    "Source",
    "Spec",
    "Strategy",
    "Volume",
    "VolumeName",
    "compose_patches",
    "merge_patch",
    "parse_bytes",
]
