"""How the containers of a fake image behave once they run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from longshore.domain.ports import Executed


@dataclass(frozen=True)
class Behaviour:
    """Without anything said: a web app that answers 200 on port 80. ``port`` ``None`` listens nowhere."""

    port: int | None = 80
    loopback_only: bool = False
    status: int = 200
    body: str = "Hello, World!"
    output: tuple[str, ...] = ()
    exit_code: int | None = None  # set: it exits at once with this code
    out_of_memory: bool = False
    # Exit codes of commands that run once, in turn, by their first word (else 0); none: it does not end by itself.
    endings: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    cannot_start: str = ""  # set: the engine's words why it cannot even be started
    commands: Mapping[tuple[str, ...], Executed] = field(default_factory=dict)  # what can be run inside
