"""The Celery app of a rig's workers and beats: the product's, with its services watched and its sweeps in a hurry."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from faulty_queue import disordered
from longshore_workers import process, schedule
from trap import Trap

from longshore.adapters import files
from longshore.bootstrap import open_worker_services
from longshore.services import WorkerServices
from longshore.settings import Settings
from longshore.testing.points import Points

schedule.SECONDS.update(
    {"longshore.dispatch": 0.5, "longshore.reap": 0.5, "longshore.clean": 1.0, "longshore.reconcile": 3.0}
)
importlib.import_module("longshore.services.sweeps.clean").UPLOAD_KEPT = 5.0  # the package has a function of that name
files.LEFTOVER_AFTER = 3.0


@contextmanager
def _watched(settings: Settings) -> Iterator[WorkerServices]:
    with open_worker_services(settings) as services, disordered(services) as sending:
        yield Points(Trap(settings.root)).instrument(sending)


process.open_worker_services = _watched
app = importlib.import_module("longshore_workers.app").app
