"""Probes that ask the fake engine who listens there."""

from longshore.domain.ports import Answer
from longshore.domain.specs import HealthCheck
from longshore.testing.engine import FakeEngine


class FakeProber:
    """What a container answers is what its image's behaviour says."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.asked: list[tuple[str, int, str]] = []  # (address, port, host)

    def probe(self, address: str, port: int, check: HealthCheck, host: str) -> Answer:
        """One execution of a health check."""
        self.asked.append((address, port, host))
        behaviour = self._engine.at(address)
        if behaviour is None:
            return Answer(None, problem="cannot be reached")
        if behaviour.port != port or behaviour.loopback_only:
            return Answer(None, problem="connection refused")
        return Answer(200) if check.kind == "tcp" else Answer(behaviour.status, behaviour.body)
