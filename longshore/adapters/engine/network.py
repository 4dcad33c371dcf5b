"""The stack's own network, with a subnet of our choosing: the engine's default pools end after some 25 networks."""

import hashlib
import ipaddress
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool

from longshore.adapters.engine.connection import Connection, translated
from longshore.domain.names import LABEL_STACK, part_labels
from longshore.domain.ports import Network
from longshore.errors import PlatformError

POOL = ipaddress.IPv4Network("10.64.0.0/10")
PREFIX = 22  # 1,022 addresses
LABEL_HOME = "longshore.home"


class StackNetwork:
    """One bridge network for the apps of a stack; the router reaches it from the host, the registry is not on it."""

    def __init__(self, connection: Connection, stack: str, home: str) -> None:
        self.name = f"{stack}.net"
        self._labels = {**part_labels(stack, "network"), LABEL_HOME: home}
        self._connection = connection
        self._known: Network | None = None
        self._lock = threading.Lock()

    def ensure(self) -> Network:
        """The network, made when it is missing; asked of the engine once."""
        with self._lock:
            if self._known is None:
                self._known = self._find() or self._create()
            return self._known

    def refuse_others(self) -> None:
        """``PlatformError`` when the stack of this name is another one, with another home."""
        self._find()

    def again(self) -> Network:
        """Look once more: the engine may have been reset."""
        self._known = None
        return self.ensure()

    def _find(self) -> Network | None:
        with translated():
            try:
                facts = self._connection.client.inspect_network(self.name)
            except NotFound:
                return None
        labels = facts.get("Labels") or {}
        if any(labels.get(key) != value for key, value in self._labels.items()):
            raise PlatformError(
                f"another stack of this name is on this machine: {labels.get(LABEL_HOME, 'not one of ours')}",
                code="stack_taken",
                hint="Give this one another name and other ports: LONGSHORE_STACK, LONGSHORE_PORT, "
                "LONGSHORE_FLOWER_PORT, LONGSHORE_ROUTER_PORT, LONGSHORE_REGISTRY_PORT.",
            )
        return _network(facts)

    def _create(self) -> Network:
        """Two workers may do this at once: the engine refuses overlapping subnets, and the loser finds the winner's."""
        with translated():
            taken = list(_taken(self._connection.client.networks()))
            for subnet in self._candidates():
                if any(subnet.overlaps(other) for other in taken):
                    continue
                try:
                    self._connection.client.create_network(
                        self.name,
                        driver="bridge",
                        check_duplicate=True,
                        labels=self._labels,
                        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))]),
                    )
                except APIError as error:
                    if error.status_code != 409 and "overlap" not in str(error.explanation):
                        raise
                if (made := self._find()) is not None:
                    return made
        raise PlatformError(f"no subnet of {POOL} is free for the stack's network", code="no_subnet")

    def _candidates(self) -> Iterator[ipaddress.IPv4Network]:
        """All subnets of the pool, beginning somewhere that depends on the stack's name."""
        count = 2 ** (PREFIX - POOL.prefixlen)
        start = int.from_bytes(hashlib.sha256(self._labels[LABEL_STACK].encode()).digest()[:4]) % count
        size = 2 ** (32 - PREFIX)
        for step in range(count):
            first = int(POOL.network_address) + ((start + step) % count) * size
            yield ipaddress.IPv4Network((first, PREFIX))


def _network(facts: dict[str, Any]) -> Network:
    subnet = facts["IPAM"]["Config"][0]["Subnet"]
    hosts = ipaddress.ip_network(subnet)
    return Network(facts["Name"], subnet, reserved=(str(hosts[1]),))  # the host's own, where its requests come from


def _taken(networks: list[dict[str, Any]]) -> Iterator[ipaddress.IPv4Network]:
    for network in networks:
        for pool in (network.get("IPAM") or {}).get("Config") or []:
            subnet = ipaddress.ip_network(pool["Subnet"], strict=False)
            if isinstance(subnet, ipaddress.IPv4Network):
                yield subnet
    yield from _routed()


def _routed() -> Iterator[ipaddress.IPv4Network]:
    """What this host has routes to already."""
    try:
        lines = Path("/proc/net/route").read_text().splitlines()[1:]
    except OSError:
        return
    for fields in map(str.split, lines):
        destination, mask = (socket.inet_ntoa(struct.pack("<I", int(fields[i], 16))) for i in (1, 7))
        if destination != "0.0.0.0":  # noqa: S104 - the default route, which leads everywhere
            yield ipaddress.IPv4Network(f"{destination}/{mask}", strict=False)
