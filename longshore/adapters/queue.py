"""The doorbell: Celery over Redis. The only place of the product that knows Celery.

The database is the truth and a message is a wake-up, so publishing is best effort: short timeouts, one retry.
"""

from urllib.parse import quote

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from longshore.errors import PartDownError
from longshore.settings import QUEUES, Settings

BUILDS, DEPLOYS, PERIODIC = QUEUES
VISIBILITY = 6 * 3600


class CeleryQueue:
    """Sends task names with one id each."""

    def __init__(self, settings: Settings) -> None:
        self.celery = make_celery(settings)
        self._redis = Redis.from_url(settings.redis, socket_timeout=2, socket_connect_timeout=2)

    def send(self, task: str, argument: str, *, label: str, queue: str) -> None:
        """Ring; ``PartDownError`` when the broker does not answer."""
        try:
            # argsrepr is what Flower shows: a name for people instead of an id.
            self.celery.send_task(task, args=[argument], queue=queue, argsrepr=label, kwargsrepr="")
        except (OperationalError, RedisError, OSError) as error:
            raise _down() from error

    def ping(self) -> None:
        """Raise ``PartDownError`` unless Redis answers."""
        try:
            self._redis.ping()
        except (RedisError, OSError) as error:
            raise _down() from error


def make_celery(settings: Settings) -> Celery:
    """The Celery app both ends share; each option with its reason."""
    app = Celery("longshore", broker=_broker_url(settings.redis), set_as_current=False)
    app.conf.update(
        # No result backend: state lives in the database, and a result would be one more place for secrets.
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        # A killed worker's message comes back; the claim makes a second delivery harmless.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        # Flower's task list is made of these events.
        worker_send_task_events=True,
        task_send_sent_event=True,
        # A request must not hang on a broker that does not answer; the sweeper rings again.
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1},
        broker_connection_timeout=2,
        # A worker outlives any outage of Redis.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # True made 5.6.3 exit when the connection was lost.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_proc_alive_timeout=30,
        broker_transport_options={
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 25,
            "visibility_timeout": VISIBILITY,  # longer than any job: a message must not come back while it is worked on
            "unacked_restore_interval": 10,
            "global_keyprefix": f"{settings.stack}:",  # several stacks may share one Redis
        },
        task_default_queue=DEPLOYS,
        task_routes={"longshore.build": {"queue": BUILDS}},
        timezone="UTC",
    )
    return app


def _broker_url(url: str) -> str:
    """Kombu spells the URL of a Unix socket its own way."""
    return f"redis+socket://{quote(url.removeprefix('unix://'))}" if url.startswith("unix://") else url


def _down() -> PartDownError:
    return PartDownError(
        "redis",
        "Redis does not answer",
        hint="`longshore up` starts the stack's own; for another one look at LONGSHORE_REDIS_URL.",
    )
