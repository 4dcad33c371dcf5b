"""Named volumes: found, made and removed by our own names and labels only."""

from collections.abc import Mapping
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import Mount

from longshore.adapters.engine.connection import Connection, explanation, translated
from longshore.domain.ports import EngineVolume
from longshore.errors import PlatformError, TransientError


def ensure(connection: Connection, volume: EngineVolume) -> None:
    """Made, or there already and ours."""
    with translated():
        facts = connection.client.create_volume(volume.name, driver="local", labels=dict(volume.labels))
    _refuse_other(volume, facts)


def remove(connection: Connection, volume: EngineVolume) -> None:
    """Removed with all that is in it; what is not ours is left alone."""
    with translated():
        try:
            _refuse_other(volume, connection.client.inspect_volume(volume.name))
            connection.client.remove_volume(volume.name)
        except NotFound:
            return
        except APIError as error:
            if error.status_code == 409:
                used = f"the volume {volume.name} is still used: {explanation(error)}"
                raise TransientError(used, code="volume_in_use") from error
            raise


def listed(connection: Connection, labels: Mapping[str, str]) -> list[EngineVolume]:
    """All with these labels, by name."""
    wanted = {"label": [f"{key}={value}" for key, value in labels.items()]}
    with translated():
        rows = connection.client.volumes(filters=wanted)["Volumes"] or []
    return sorted((EngineVolume(row["Name"], row["Labels"] or {}) for row in rows), key=lambda one: one.name)


def as_mounts(volumes: Mapping[str, EngineVolume]) -> list[Mount]:
    """For a container; of kind volume, so that no path of the host is ever mounted."""
    return [Mount(path, one.name, type="volume", labels=dict(one.labels)) for path, one in volumes.items()]


def _refuse_other(volume: EngineVolume, facts: dict[str, Any]) -> None:
    """The name must be ours, and a plain folder of the engine's own: options could make it any path of the host."""
    labels = facts.get("Labels") or {}
    ours = all(labels.get(key) == value for key, value in volume.labels.items())
    if not ours or facts.get("Driver") != "local" or facts.get("Options"):
        raise PlatformError(
            f"the name {volume.name} is taken by a volume that is not ours",
            code="name_taken",
            hint="It was left alone. Rename or remove it yourself.",
        )
