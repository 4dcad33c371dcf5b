"""How images are built: a ladder of three rungs, the fastest that works here; found out once, shown by ``doctor``.

1. ``engine-api``: BuildKit through the Engine API, no process in between (four times faster than the CLI).
2. ``buildx``: the CLI plugin, where the API cannot (containerd image store, ``# syntax=`` frontends).
3. ``classic``: the engine's old builder, without cache mounts.
"""

from longshore.adapters.builder.ladder import Ladder

__all__ = ["Ladder"]
