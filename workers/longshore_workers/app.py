"""The Celery app of this process: what ``celery -A longshore_workers.app`` finds."""

from typing import Any

from celery import bootsteps
from celery.worker.consumer import Events

from longshore.adapters.queue import make_celery
from longshore.settings import Settings
from longshore_workers import schedule, tasks


class EventsOneByOne(bootsteps.StartStopStep):  # type: ignore[misc]
    """Task events are sent at once.

    Celery gathers them for the one thread of its event loop. With a pool of threads, those that come while the
    gathered ones are sent are wiped out with them, and Flower shows ended jobs as RECEIVED for ever.
    """

    requires = (Events,)

    def start(self, consumer: Any) -> None:
        """After each connect: the dispatcher is a new one then."""
        consumer.event_dispatcher.buffer_group = frozenset()


settings = Settings()
app = make_celery(settings)
schedule.plan(app)
tasks.register(app)
app.steps["consumer"].add(EventsOneByOne)
app.conf.task_send_sent_event = False  # a worker is right here: "sent" would only double every line in Flower
