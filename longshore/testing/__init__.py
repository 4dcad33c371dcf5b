"""What ships for tests: fakes that remember. They are held to the same contract tests as the real adapters."""

from longshore.testing.behaviour import Behaviour
from longshore.testing.builder import FakeBuilder
from longshore.testing.clock import FakeClock
from longshore.testing.engine import FakeEngine
from longshore.testing.git import FakeGit
from longshore.testing.locks import FakeLocks
from longshore.testing.parts import FakeParts
from longshore.testing.prober import FakeProber
from longshore.testing.queue import FakeQueue, Message
from longshore.testing.registry import FakeRegistry
from longshore.testing.router import FakeRouter

__all__ = [
    "Behaviour",
    "FakeBuilder",
    "FakeClock",
    "FakeEngine",
    "FakeGit",
    "FakeLocks",
    "FakeParts",
    "FakeProber",
    "FakeQueue",
    "FakeRegistry",
    "FakeRouter",
    "Message",
]
