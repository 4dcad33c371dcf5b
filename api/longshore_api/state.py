"""What every request needs: the services, and the caps of this process."""

import threading
from dataclasses import dataclass

from flask import Flask, current_app

from longshore.services import Services

KEY = "longshore"


@dataclass(frozen=True)
class State:
    """The services, and how many streams may be open: streams must leave threads for requests."""

    services: Services
    streams: threading.BoundedSemaphore


def attach(app: Flask, services: Services) -> None:
    """Give an app its state."""
    streams = max(1, services.settings.web_threads // 2)
    app.extensions[KEY] = State(services, threading.BoundedSemaphore(streams))


def services() -> Services:
    """The services of the app that answers this request."""
    return state().services


def state() -> State:
    """The state of the app that answers this request."""
    found: State = current_app.extensions[KEY]
    return found
