"""Rollouts: in which stages the replicas of a new release take over from those of the old one. Pure."""

from dataclasses import dataclass

from longshore.domain.specs import Config, Strategy

ALL = 1000  # per mille


@dataclass(frozen=True)
class Stage:
    """``new`` replicas of web have been proven and take ``share`` per mille of the requests; ``old`` ones stay.

    After that it is held for ``hold`` seconds and judged. ``old_first``: the old ones stop before a new one starts.
    """

    new: int
    old: int
    share: int = ALL
    hold: float = 0
    old_first: bool = False

    @property
    def whole(self) -> bool:
        """Whether the new release takes all requests."""
        return self.share == ALL

    @property
    def words(self) -> str:
        """What happens, for people."""
        first = "the old replicas stop, and nothing answers until the new ones do; then " if self.old_first else ""
        share = "all requests" if self.whole else f"{self.share / 10:g} % of the requests"
        stays = "" if self.old_first else f"; {self.old} old {'stays' if self.old == 1 else 'stay'}"
        hold = f"; watched for {self.hold:g} s" if self.hold else ""
        return f"{first}{self.new} new {'takes' if self.new == 1 else 'take'} {share}{stays}{hold}"


def stages_of(config: Config, *, new: int, old: int, back: bool) -> tuple[Stage, ...]:
    """As an app declares it; but what somebody goes ``back`` to is there at once, and not judged by what they leave."""
    if not back:
        return stages(config.rollout, new=new, old=old, soak=config.soak)
    alone = config.rollout.kind == "recreate"
    return stages(config.rollout if alone else Strategy(), new=new, old=old, soak=0)


def stages(strategy: Strategy, *, new: int, old: int, soak: float) -> tuple[Stage, ...]:
    """The stages in their order; in the last one the new release takes everything.

    ``new``, ``old``: how many replicas of web there shall be, and are. Where nothing serves there is nothing to go
    back to and nothing to compare with: then it is one step, without a hold.
    """
    if not old:
        return (Stage(new, 0),)
    if strategy.kind == "rolling" and new:
        return _rolling(strategy.at_once, new, old, soak)
    if strategy.kind == "canary":
        return _canary(strategy, new, old, soak)
    recreate = strategy.kind == "recreate"
    return (Stage(new, 0 if recreate else old, hold=soak, old_first=recreate),)


def _rolling(at_once: int, new: int, old: int, soak: float) -> tuple[Stage, ...]:
    """Never more than ``at_once`` replicas above what there was, as long as both sides have as many."""
    counts = [*range(at_once, new, at_once), new]
    return tuple(
        Stage(
            new=count,
            old=0 if count == new else max(old - count, 1),  # whoever still takes requests needs a replica
            share=count * ALL // new,
            hold=soak if count == new else 0,
        )
        for count in counts
    )


def _canary(strategy: Strategy, new: int, old: int, soak: float) -> tuple[Stage, ...]:
    """Every share is held; the last one, which is everything, for the soak where one is declared."""
    return tuple(
        Stage(new, old, share=percent * 10, hold=(soak or strategy.hold) if percent == 100 else strategy.hold)
        for percent in strategy.steps
    )
