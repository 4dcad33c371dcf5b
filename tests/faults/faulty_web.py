"""What the gunicorn of a rig calls: the product's application, with its services watched."""

from collections.abc import Iterator
from contextlib import contextmanager

from faulty_queue import disordered
from longshore_api import wsgi
from trap import Trap

from longshore.bootstrap import open_services
from longshore.services import Services
from longshore.settings import Settings
from longshore.testing.points import Points


@contextmanager
def _watched(settings: Settings) -> Iterator[Services]:
    with open_services(settings) as services, disordered(services) as sending:
        yield Points(Trap(settings.root), outside="web").instrument(sending)


wsgi.open_services = _watched
create = wsgi.create
