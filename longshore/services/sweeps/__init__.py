"""What runs again and again so that nothing is lost. Each may run twice, late, or in several workers without harm."""

from longshore.services.sweeps.clean import clean
from longshore.services.sweeps.deadlines import enforce_deadlines
from longshore.services.sweeps.dispatch import dispatch
from longshore.services.sweeps.judge import judge
from longshore.services.sweeps.leases import arrive, beat, hand_back, leave, reap, take_over_from
from longshore.services.sweeps.reconcile import reconcile

__all__ = [
    "arrive",
    "beat",
    "clean",
    "dispatch",
    "enforce_deadlines",
    "hand_back",
    "judge",
    "leave",
    "reap",
    "reconcile",
    "take_over_from",
]
