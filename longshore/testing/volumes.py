"""The volumes of the fake engine."""

import threading
from collections.abc import Mapping

from longshore.domain.ports import Container, ContainerSpec, EngineVolume
from longshore.errors import PlatformError, TransientError


class FakeVolumes:
    """Volumes in a dict: made once, kept by whoever has them."""

    def __init__(self) -> None:
        self.stored: dict[str, EngineVolume] = {}
        self.standing: dict[str, Container] = {}
        self.specs: dict[str, ContainerSpec] = {}
        self.calls: list[tuple[str, str]] = []
        self._lock = threading.RLock()

    def ping(self) -> None:
        """Raise ``PartDownError`` while the engine is down."""
        raise NotImplementedError

    def ensure_volume(self, volume: EngineVolume) -> None:
        """Made, or there already."""
        self.ping()
        with self._lock:
            self.calls.append(("ensure_volume", volume.name))
            self._ours(volume)
            self.stored.setdefault(volume.name, volume)

    def remove_volume(self, volume: EngineVolume) -> None:
        """Remove one, if it is there and nobody has it."""
        self.ping()
        with self._lock:
            self.calls.append(("remove_volume", volume.name))
            self._ours(volume)
            if volume.name in self._mounted():
                raise TransientError(f"the volume {volume.name} is still used", code="volume_in_use")
            self.stored.pop(volume.name, None)

    def volumes(self, labels: Mapping[str, str]) -> list[EngineVolume]:
        """Those with these labels."""
        self.ping()
        found = [one for one in self.stored.values() if labels.items() <= one.labels.items()]
        return sorted(found, key=lambda one: one.name)

    def _ours(self, volume: EngineVolume) -> None:
        there = self.stored.get(volume.name)
        if there is not None and not volume.labels.items() <= there.labels.items():
            raise PlatformError(f"the name {volume.name} is taken by a volume that is not ours", code="name_taken")

    def _mounted(self) -> set[str]:
        specs = [self.specs[name] for name in self.standing if name in self.specs]
        return {volume.name for spec in specs for volume in spec.volumes.values()}
