"""Which TCP ports are listened on inside a container, from the kernel's own table."""

import ipaddress
import socket
import struct
from pathlib import Path

import docker
from docker.errors import APIError

from longshore.domain.ports import Listener

LISTEN = "0A"  # the state's number in /proc/net/tcp
ENGINES_DNS = ipaddress.ip_address("127.0.0.11")  # listens in every container of a network, and is not the app's
TABLES = ("tcp", "tcp6")


def of(client: docker.APIClient, name: str) -> list[Listener]:
    """From ``/proc`` of the container's own process where we see it, else by asking inside."""
    pid = int(client.inspect_container(name)["State"]["Pid"])
    if not pid:
        return []
    return parse(_from_host(pid) or _from_inside(client, name))


def parse(table: str) -> list[Listener]:
    """The listening sockets of ``/proc/net/tcp`` and ``tcp6``, one per port."""
    found: dict[int, bool] = {}
    for line in table.splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[3] != LISTEN:
            continue
        address, _, port = fields[1].partition(":")
        if _address(address) == ENGINES_DNS:
            continue
        found[int(port, 16)] = found.get(int(port, 16), True) and _loopback(address)
    return [Listener(port, loopback) for port, loopback in sorted(found.items())]


def _loopback(text: str) -> bool:
    address = _address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The kernel prints each 32-bit word in the host's byte order."""
    words = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return ipaddress.ip_address(socket.inet_ntop(family, packed))


def _from_host(pid: int) -> str:
    try:
        return "\n".join(Path(f"/proc/{pid}/net/{table}").read_text() for table in TABLES)
    except OSError:
        return ""


def _from_inside(client: docker.APIClient, name: str) -> str:
    try:
        call = client.exec_create(name, ["cat", *(f"/proc/net/{table}" for table in TABLES)])
        return str(client.exec_start(call["Id"]).decode(errors="replace"))
    except APIError:
        return ""
