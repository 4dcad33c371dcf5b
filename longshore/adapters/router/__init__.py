"""The router: HAProxy in a container, driven by files and its Runtime API. Two slots (backends) per app and a map
that says which is live: the switch is one command, the revert the same one back."""

from longshore.adapters.router.haproxy import HAProxyRouter

__all__ = ["HAProxyRouter"]
