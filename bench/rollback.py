"""From asking for a rollback to the first answer of the old version, through the router: the median of ten."""

import argparse
import statistics
import time

import httpx

from longshore.cli.client import Client
from longshore.settings import Settings

NAME = "bench-rollback"
IMAGE = "python:3.13-slim"
PAGE = "import os;from http.server import *;open('index.html','w').write(os.environ['VERSION'])"
SERVE = f"{PAGE};HTTPServer(('0.0.0.0',int(os.environ['PORT'])),SimpleHTTPRequestHandler).serve_forever()"


def main() -> None:
    """Two releases, and there and back between them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    api = Client()
    config = {"command": ["python", "-c", f"import os;os.chdir('/tmp');{SERVE}"]}
    api.post("/v1/apps", json={"name": NAME, **config})
    try:
        for version in ("1", "2"):
            source = {"source": {"image": IMAGE}, "config": {"env": {"VERSION": version}}}
            ended(api, api.post(f"/v1/apps/{NAME}/deployments", json=source))
        times = [there(api, release=1 + number % 2) for number in range(rounds)]
    finally:
        api.delete(f"/v1/apps/{NAME}")
    said = f"median {statistics.median(times):.2f} s, min {min(times):.2f} s, max {max(times):.2f} s"
    print(f"{rounds} rollbacks, from the request to the first answer of the old version: {said}")


def there(api: Client, release: int) -> float:
    """Seconds until the release answers."""
    began = time.monotonic()
    view = api.post(f"/v1/apps/{NAME}/rollback", json={"release": release})
    while answer() != str(release):
        time.sleep(0.002)
    took = time.monotonic() - began
    ended(api, view)
    return took


def answer() -> str:
    """What the app says now."""
    url = f"http://127.0.0.1:{Settings().router_port}/"
    return httpx.get(url, headers={"host": f"{NAME}.localhost"}, trust_env=False).text.strip()


def ended(api: Client, view: dict[str, object]) -> None:
    """Wait until the last job of a deployment has ended; it must have succeeded."""
    path = f"/v1/apps/{NAME}/deployments/{view['number']}"
    now = api.get(path)
    while not all(job["ended_at"] for job in now["jobs"]):
        time.sleep(0.02)
        now = api.get(path)
    if now["state"] != "succeeded":
        raise SystemExit(f"{now['id']} {now['state']}: {now['error']}")


if __name__ == "__main__":
    main()
