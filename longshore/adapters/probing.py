"""Probes: asking a replica directly, and the one HTTP exchange all probes are made of."""

import socket
import time

import httpx

from longshore.domain.ports import Answer
from longshore.domain.specs import HealthCheck

BODY_LIMIT = 64 * 1024
CONNECT_WITHIN = 0.5  # seconds: replicas are near, and one that died answers nobody for seconds
SERVED_BY = "x-longshore-served-by"


class SocketProber:
    """Asks from outside the container. The host part of the URL is the replica's own address, nothing else."""

    def __init__(self) -> None:
        self._client = httpx.Client(
            verify=False,  # noqa: S501 - plain HTTP only
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def probe(self, address: str, port: int, check: HealthCheck, host: str) -> Answer:
        """One execution of a health check."""
        if check.kind == "tcp":
            return _connect(address, port, check.timeout)
        return ask(self._client, f"http://{address}:{port}{check.path}", {"host": host}, check)


def ask(client: httpx.Client, url: str, headers: dict[str, str], check: HealthCheck) -> Answer:
    """One GET; never raises. The body is read only when the check asks for it: 64 KB, for as long as the timeout."""
    headers = {"user-agent": "longshore-probe", "connection": "close", "accept-encoding": "identity", **headers}
    timeout = check.timeout
    try:
        with client.stream("GET", url, headers=headers, timeout=_patience(timeout)) as response:
            body = _read(response, timeout) if check.body else ""
            return Answer(response.status_code, body, served_by=response.headers.get(SERVED_BY, ""))
    except httpx.ConnectError as error:
        return Answer(None, problem="connection refused" if "refused" in str(error) else "cannot be reached")
    except httpx.ConnectTimeout:
        return Answer(None, problem="cannot be reached")
    except httpx.TimeoutException:
        return Answer(None, problem=f"gave no answer within {timeout:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Answer(None, problem=f"gave no proper answer ({type(error).__name__})")


def _read(response: httpx.Response, seconds: float) -> str:
    """The beginning of a body. Raw: what unpacks to more than was sent is not unpacked."""
    body, until = b"", time.monotonic() + seconds
    for chunk in response.iter_raw():
        body += chunk
        if len(body) >= BODY_LIMIT or time.monotonic() >= until:
            break
    return body[:BODY_LIMIT].decode(errors="replace")


def _patience(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(CONNECT_WITHIN, seconds))


def _connect(address: str, port: int, timeout: float) -> Answer:
    try:
        with socket.create_connection((address, port), timeout=min(CONNECT_WITHIN, timeout)):
            return Answer(200)
    except ConnectionRefusedError:
        return Answer(None, problem="connection refused")
    except OSError:
        return Answer(None, problem="cannot be reached")
