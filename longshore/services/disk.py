"""Room on the disk of the home: what would fill it is refused before it begins."""

from longshore.errors import DiskFullError
from longshore.services.context import Services


def need_room(services: Services) -> None:
    """``DiskFullError`` when less than the floor is free: the database must be able to write."""
    free, floor = services.files.free_bytes(), services.settings.disk_floor
    if free < floor:
        raise DiskFullError(
            f"the disk is full: {free // 1024**2} MiB are free where Longshore keeps its state",
            hint=f"Free some space: {floor // 1024**2} MiB are kept (LONGSHORE_DISK_FLOOR).",
        )
