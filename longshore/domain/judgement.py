"""Judging a new release by what was counted: is it worse than the one before? Pure."""

from dataclasses import dataclass, replace

ENOUGH = 20  # requests below which nothing can be told
WORSE_ERRORS, TIMES_ERRORS = 0.05, 2.0  # more errors by this share of the requests, and by this factor
WORSE_SECONDS, TIMES_SECONDS = 0.1, 2.0  # slower by so many seconds, and by this factor
IN_A_ROW = 3  # looks that must agree before anybody acts


@dataclass(frozen=True)
class Tally:
    """What was counted of one side: requests, those answered 5xx, and their mean time in seconds."""

    requests: int = 0
    errors: int = 0
    seconds: float = 0.0
    mark: tuple[int, int] = (0, 0)  # the router's counters when they were looked at last

    def counted(self, requests: int, errors: int, seconds: float) -> "Tally":
        """With the router's counters as they are now; smaller ones than last time began anew with a reload."""
        before = self.mark if requests >= self.mark[0] and errors >= self.mark[1] else (0, 0)
        return replace(
            self,
            requests=self.requests + requests - before[0],
            errors=self.errors + errors - before[1],
            seconds=seconds,
            mark=(requests, errors),
        )

    @property
    def error_rate(self) -> float:
        """The share of requests answered 5xx."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def enough(self) -> bool:
        """Whether there was enough to tell anything."""
        return self.requests >= ENOUGH


def worse(new: Tally, old: Tally, max_rps: float | None) -> str | None:
    """In which way the new release is worse, in words; ``None`` when it is not, or when too little was counted.

    P of both is taken at the same rate of requests, so that more visitors alone are nobody's fault: what is left of
    it is the ratio of their times, and it is told where the app declares its limit F.
    """
    if not new.enough:
        return None
    if new.error_rate > old.error_rate + WORSE_ERRORS and new.error_rate > old.error_rate * TIMES_ERRORS:
        return f"{new.error_rate:.1%} of its requests failed, against {old.error_rate:.1%} before"
    if old.enough and new.seconds > max(old.seconds + WORSE_SECONDS, old.seconds * TIMES_SECONDS):
        limit = f", and with it P, {new.seconds / max(old.seconds, 1e-3):.1f} times that of before" if max_rps else ""
        return f"its answers take {new.seconds * 1000:.0f} ms, against {old.seconds * 1000:.0f} ms before{limit}"
    return None
