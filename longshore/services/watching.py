"""What is counted of a rollout: of the old side before it and beside it, of the new one since it takes requests."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from longshore.domain.judgement import Tally
from longshore.domain.names import other_route_slot
from longshore.domain.ports import Counters
from longshore.models import Deployment

Counted = Mapping[tuple[str, str], Counters]


def begin(deployment: Deployment, counted: Counted) -> None:
    """Remember what the old side did until now, and where the counting of both begins; once."""
    if deployment.watched or deployment.route_slot is None:
        return
    old = _counters(deployment, other_route_slot(deployment.route_slot), counted)
    new = _counters(deployment, deployment.route_slot, counted)
    deployment.watched = {
        "before": asdict(Tally().counted(*_facts(old))),
        "old": asdict(_from(old)),
        "new": asdict(_from(new)),
        "worse": 0,
    }


def look(deployment: Deployment, counted: Counted) -> tuple[Tally, Tally]:
    """Count on, and remember it: the new side, and what it is compared with.

    That is the old side at the same time where it has enough requests (a canary), else what it did before.
    """
    slot = deployment.route_slot or ""
    old = _tally(deployment.watched["old"]).counted(*_facts(_counters(deployment, other_route_slot(slot), counted)))
    new = _tally(deployment.watched["new"]).counted(*_facts(_counters(deployment, slot, counted)))
    deployment.watched = {**deployment.watched, "old": asdict(old), "new": asdict(new)}
    return new, old if old.enough else _tally(deployment.watched["before"])


def _tally(kept: dict[str, Any]) -> Tally:
    return Tally(**{**kept, "mark": tuple(kept["mark"])})


def _from(counters: Counters) -> Tally:
    """Nothing counted yet, from here on."""
    return Tally(mark=(counters.requests, counters.errors))


def _counters(deployment: Deployment, slot: str, counted: Counted) -> Counters:
    return counted.get((deployment.app.name, slot), Counters(0, 0, 0.0))


def _facts(counters: Counters) -> tuple[int, int, float]:
    return counters.requests, counters.errors, counters.seconds
