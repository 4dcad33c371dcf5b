"""The container engine, through the docker SDK. With ``adapters/builder`` the only place that knows it."""

from longshore.adapters.engine.connection import Connection
from longshore.adapters.engine.engine import DockerEngine
from longshore.adapters.engine.parts import DockerStackParts

__all__ = ["Connection", "DockerEngine", "DockerStackParts"]
