"""One connection to the engine, made when it is first needed, and the translation of its errors."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException

from longshore.errors import PartDownError, TransientError

TIMEOUT = 60
_CUT = (
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,  # the SDK reads raw streams
)
POOL = 64  # threads of one worker talk to the engine at the same time


class Connection:
    """The SDK's low-level client. The engine's address is given explicitly: a CLI context must not move us."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._client: docker.APIClient | None = None
        self._lock = threading.Lock()

    @property
    def client(self) -> docker.APIClient:
        """The client; ``PartDownError`` when the engine does not answer. Its version is asked for once."""
        with self._lock:
            if self._client is None:
                with translated():
                    self._client = docker.APIClient(
                        base_url=self.host, version="auto", timeout=TIMEOUT, max_pool_size=POOL
                    )
            return self._client

    @property
    def local(self) -> bool:
        """Whether the engine runs on this host, so that its processes and control groups are ours to see."""
        return self.host.startswith("unix://")


@contextmanager
def translated() -> Iterator[None]:
    """No SDK error leaves the adapter. Whoever knows better catches ``APIError`` inside."""
    try:
        yield
    except APIError as error:
        raise TransientError(f"the engine said: {explanation(error)}", code="engine_error") from error
    except (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as error:
        raise TransientError("the engine took too long to answer", code="engine_slow") from error
    except (
        requests.exceptions.ConnectionError,
        requests.exceptions.ChunkedEncodingError,
        urllib3.exceptions.HTTPError,
        DockerException,
    ) as error:
        raise PartDownError(
            "engine", "the container engine does not answer", hint="Is it running, and is LONGSHORE_DOCKER_HOST right?"
        ) from error


def explanation(error: APIError) -> str:
    """The engine's own words, without the request around them: a query string may hold what is secret."""
    return str(error.explanation or "no reason").strip()[:1000]
