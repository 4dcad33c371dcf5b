"""The ``longshore`` command: user verbs over our own HTTP API, process verbs for the operator of a stack."""

from longshore.cli.root import main

__all__ = ["main"]
