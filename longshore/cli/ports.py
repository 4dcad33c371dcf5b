"""Taken ports are told before anything starts."""

from longshore.adapters.listening import is_taken
from longshore.errors import ConflictError
from longshore.settings import Settings

PORTS = {"LONGSHORE_PORT": "port", "LONGSHORE_FLOWER_PORT": "flower_port"}


def refuse_taken_ports(settings: Settings) -> None:
    """``ConflictError`` naming the port and the setting that moves it. The parts check their own."""
    for variable, field in PORTS.items():
        port = getattr(settings, field)
        if is_taken(settings.bind, port):
            raise ConflictError(
                f"port {port} is taken on this host",
                code="port_taken",
                hint=f"Is another stack running? Else choose another port: {variable}=…",
            )
