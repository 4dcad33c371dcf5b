"""What one can do: one use case per function, one transaction each. Services know the ports, never the adapters."""

from longshore.services.context import Services, WorkerServices

__all__ = ["Services", "WorkerServices"]
