"""The stack's own containers, counted."""

from longshore.errors import PartDownError


class FakeParts:
    """Remembers how often it was asked to put things right."""

    def __init__(self) -> None:
        self.ensured = 0
        self.down = False

    def refuse_others(self) -> None:
        """Nobody else is here."""

    def ensure(self) -> None:
        """Count; ``PartDownError`` while the engine is down."""
        if self.down:
            raise PartDownError("engine", "the container engine does not answer")
        self.ensured += 1
