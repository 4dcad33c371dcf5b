"""Taken ports are told before anything starts."""

import socket

from longshore.errors import ConflictError
from longshore.settings import Settings

PORTS = {"LONGSHORE_PORT": "port", "LONGSHORE_FLOWER_PORT": "flower_port"}


def refuse_taken_ports(settings: Settings) -> None:
    """``ConflictError`` naming the port and the setting that moves it. The containers' ports the engine checks."""
    for variable, field in PORTS.items():
        port = getattr(settings, field)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.bind, port))
            except OSError as error:
                raise ConflictError(
                    f"port {port} is taken on this host",
                    code="port_taken",
                    hint=f"Is another stack running? Else choose another port: {variable}=…",
                ) from error
