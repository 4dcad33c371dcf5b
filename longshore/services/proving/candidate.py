"""Who is to be proven, and by which rule."""

from dataclasses import dataclass

from longshore.domain.names import WEB
from longshore.domain.specs import HealthCheck
from longshore.models import Replica

RAN_FOR = 2.0  # seconds that a process must have run of which nothing else can be asked


@dataclass(frozen=True)
class Candidate:
    """A replica to be proven. Its port is 0 when its process listens on none."""

    replica_id: int
    name: str
    address: str
    port: int
    check: HealthCheck
    host: str  # what the replica is asked for
    route: str  # what the router knows the app by
    process: str = WEB

    @classmethod
    def of(cls, replica: Replica, host: str) -> "Candidate":
        """From its row."""
        declared = replica.release.declared.runs[replica.process].health_check
        check = declared or HealthCheck(kind="running")
        asked = check.host or host
        return cls(replica.id, replica.name, replica.address, replica.port, check, asked, host, replica.process)

    @property
    def routed(self) -> bool:
        """Whether requests come to it through the router."""
        return self.process == WEB

    @property
    def min_healthy_time(self) -> float:
        """For how long it must be healthy without a break."""
        usual = RAN_FOR if self.check.kind == "running" else 0.0
        return usual if self.check.min_healthy_time is None else self.check.min_healthy_time
