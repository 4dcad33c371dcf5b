"""How much all builds together may use.

BuildKit's fast way ignores the limits of a request, so where the engine is local they are put on the control group
under which it runs the steps of builds. Elsewhere ``buildx --cgroup-parent`` names a group the operator has limited.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from longshore.adapters.engine.connection import Connection, translated
from longshore.errors import LongshoreError
from longshore.settings import Settings

CGROUPS = Path("/sys/fs/cgroup")
GROUP = "docker/buildkit"  # where the engine's BuildKit puts them with the cgroupfs driver
PERIOD = 100_000  # microseconds


@dataclass(frozen=True)
class Limits:
    """Cores and bytes."""

    cpus: float
    memory: int


class BuildLimits:
    """Puts limits on the build group, once per process; ``problem`` says why that is not possible here."""

    def __init__(self, connection: Connection, settings: Settings, root: Path = CGROUPS) -> None:
        self._connection = connection
        self._root = root
        self.cgroup_parent = settings.build_cgroup_parent
        self.limits = Limits(
            cpus=settings.build_cpus or max(0.5, (os.cpu_count() or 1) - 0.25),
            memory=_whole_pages(settings.build_memory or _host_memory() * 3 // 4),
        )
        self._applied = False

    def apply(self) -> None:
        """Set them; a host where that cannot be done builds without, and ``doctor`` says so."""
        if not self._applied:
            with suppress(OSError):
                self._write()
            self._applied = True

    def text(self) -> str:
        """For people."""
        if self.cgroup_parent:
            return f"those of the control group {self.cgroup_parent}"
        return f"{self.limits.cpus:g} cores, {self.limits.memory / 1024**3:.1f} GiB for all builds together"

    def problem(self) -> str | None:
        """Why builds are not limited, or ``None``."""
        if self.cgroup_parent:
            return None
        if not self._connection.local:
            return "the engine is not on this host, and LONGSHORE_BUILD_CGROUP_PARENT names no group there"
        try:
            driver = self._driver()
            if driver != "cgroupfs":
                return f"the engine's cgroup driver is {driver}; only cgroupfs shows where builds run"
            self._write()
        except OSError as error:
            return f"the control group of builds cannot be limited: {error.strerror}"
        except LongshoreError as error:
            return error.message
        return None

    def _driver(self) -> str:
        with translated():
            return str(self._connection.client.info()["CgroupDriver"])

    def _write(self) -> None:
        if not self._connection.local or self.cgroup_parent:
            return
        for path, value in self._files():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(value)

    def _files(self) -> list[tuple[Path, str]]:
        quota = str(int(self.limits.cpus * PERIOD))
        if (self._root / "cgroup.controllers").exists():
            group = self._root / GROUP
            return [(group / "memory.max", str(self.limits.memory)), (group / "cpu.max", f"{quota} {PERIOD}")]
        cpu, memory = self._root / "cpu" / GROUP, self._root / "memory" / GROUP
        return [
            (memory / "memory.limit_in_bytes", str(self.limits.memory)),
            (cpu / "cpu.cfs_period_us", str(PERIOD)),
            (cpu / "cpu.cfs_quota_us", quota),
        ]


def _whole_pages(size: int) -> int:
    """What the kernel makes of a limit, and would be read back as."""
    page = os.sysconf("SC_PAGE_SIZE")
    return size // page * page


def _host_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
