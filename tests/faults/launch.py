"""Starts one process as ``longshore serve``, ``worker`` or ``beat`` do, with the watched modules in their places."""

import sys

from longshore.cli import processes

WATCHED = {"longshore_workers.app": "faulty_worker", "longshore_api.wsgi:create()": "faulty_web:create()"}


def main(verb: str, name: str) -> None:
    """Become it; ``name`` tells workers of one host apart."""
    become = processes._become

    def watched(module: str, *arguments: str) -> None:
        become(module, *(f"{name}@%h" if "@%h" in one else WATCHED.get(one, one) for one in arguments))

    processes._become = watched
    getattr(processes, verb).callback()


if __name__ == "__main__":
    main(*sys.argv[1:])
