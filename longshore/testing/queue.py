"""A doorbell that remembers who rang."""

from dataclasses import dataclass

from longshore.errors import PartDownError


@dataclass(frozen=True)
class Message:
    """One ring, as it was sent."""

    task: str
    argument: str
    label: str
    queue: str


class FakeQueue:
    """Messages in a list, oldest first. ``down``: the broker does not answer."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.down = False

    def send(self, task: str, argument: str, *, label: str, queue: str) -> None:
        """Ring."""
        self.ping()
        self.messages.append(Message(task, argument, label, queue))

    def ping(self) -> None:
        """Raise ``PartDownError`` while it is down."""
        if self.down:
            raise PartDownError("redis", "Redis does not answer")

    def take(self) -> Message | None:
        """The oldest message, taken out."""
        return self.messages.pop(0) if self.messages else None

    def lose_all(self) -> None:
        """Somebody emptied Redis."""
        self.messages.clear()
