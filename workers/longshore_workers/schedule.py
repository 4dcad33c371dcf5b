"""What beat rings, and how often. Every tick expires: workers that were away must not find a pile of old ones."""

from celery import Celery

from longshore.adapters.queue import PERIODIC

SECONDS = {
    "longshore.dispatch": 1.0,
    "longshore.judge": 1.0,
    "longshore.reap": 2.0,
    "longshore.clean": 10.0,
    "longshore.reconcile": 30.0,
}


def plan(app: Celery) -> None:
    """Put the periodic tasks into the app's schedule."""
    app.conf.beat_schedule = {
        name: {
            "task": name,
            "schedule": seconds,
            "args": ("",),
            "options": {"queue": PERIODIC, "expires": seconds, "argsrepr": "every " + f"{seconds:g} s"},
        }
        for name, seconds in SECONDS.items()
    }
