"""Which rung is used."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property

from longshore.adapters.builder.buildx import BuildxRung, plugin_version
from longshore.adapters.builder.classic import ClassicRung
from longshore.adapters.builder.engine_api import EngineApiRung
from longshore.adapters.builder.limits import BuildLimits
from longshore.adapters.engine.connection import Connection, translated
from longshore.domain.ports import BuildNews, BuildRequest
from longshore.errors import PlatformError

RUNGS = ("engine-api", "buildx", "classic")
CONTAINERD_STORE = "io.containerd.snapshotter.v1"


class Ladder:
    """Builds on the highest rung that works here. ``wanted`` names one, or is ``auto``."""

    def __init__(self, connection: Connection, limits: BuildLimits, wanted: str = "auto") -> None:
        self._connection = connection
        self._limits = limits
        self._wanted = wanted

    @cached_property
    def rung(self) -> str:
        """The rung builds use here."""
        return self._wanted if self._wanted != "auto" else self._best()

    def limits(self) -> str:
        """The limits in force."""
        problem = self._limits.problem()
        if problem is not None:
            raise PlatformError(problem, code="no_build_limits", hint="Builds run without limits until then.")
        return self._limits.text()

    def build(self, request: BuildRequest) -> AbstractContextManager[Iterator[BuildNews | None]]:
        """A stream of news; leaving it early cancels the build."""
        self._limits.apply()
        return self._rung_for(request).build(request)

    def _best(self) -> str:
        with translated():
            info = self._connection.client.info()
        if CONTAINERD_STORE in str(info.get("DriverStatus")) or self._limits.cgroup_parent:
            return "buildx" if plugin_version() else "classic"
        return "engine-api"

    def _rung_for(self, request: BuildRequest) -> "EngineApiRung | BuildxRung | ClassicRung":
        rung = self.rung
        if rung == "engine-api" and request.frontend:
            rung = "buildx"  # the API has no session, and a frontend of its own needs one
        if rung == "buildx" and not plugin_version():
            raise PlatformError(
                "this build needs `docker buildx`, which is not installed here",
                code="no_buildx",
                hint="Install the buildx plugin of the container engine, or leave out the `# syntax=` line.",
            )
        if rung == "engine-api":
            return EngineApiRung(self._connection)
        return BuildxRung(self._connection.host, self._limits) if rung == "buildx" else ClassicRung(self._connection)
