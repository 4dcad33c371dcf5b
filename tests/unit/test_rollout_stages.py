"""The stages of every strategy, for any numbers of replicas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.rollout import ALL, Stage, stages
from longshore.domain.specs import Config, Strategy

counts = st.integers(1, 30)
ways = st.one_of(
    st.just(Strategy()),
    st.just(Strategy(kind="recreate")),
    st.builds(lambda k: Strategy(kind="rolling", at_once=k), st.integers(1, 40)),
    st.builds(
        lambda steps: Strategy(kind="canary", steps=[*sorted(steps), 100]), st.sets(st.integers(1, 99), max_size=5)
    ),
)


@given(ways, counts, counts, st.sampled_from([0.0, 5.0]))
def test_each_stage_goes_on_from_the_one_before_and_the_last_one_is_all(way, new, old, soak):
    found = stages(way, new=new, old=old, soak=soak)
    shares, starts, stays = ([getattr(one, name) for one in found] for name in ("share", "new", "old"))
    assert (shares, starts, stays) == (sorted(shares), sorted(starts), sorted(stays, reverse=True))
    assert (shares[-1], starts[-1]) == (ALL, new)
    assert all(one.old > 0 for one in found if one.share < ALL), "whoever still takes requests needs a replica"
    assert all(one.new > 0 for one in found)
    assert found[-1].hold >= soak


@given(ways, counts)
def test_where_nothing_serves_there_is_nothing_to_go_by(way, new):
    assert stages(way, new=new, old=0, soak=60) == (Stage(new, 0),)


@given(counts, counts, st.integers(1, 30))
def test_rolling_has_never_more_than_its_number_above_what_there_was(new, old, at_once):
    before = old
    for stage in stages(Strategy(kind="rolling", at_once=at_once), new=new, old=old, soak=0):
        assert stage.new + before <= max(new, old) + at_once + 1
        before = stage.old


def test_a_canary_holds_each_share_and_then_all_of_it():
    way = Strategy(kind="canary", steps=[10, 50, 100], hold=30)
    found = stages(way, new=3, old=2, soak=0)
    assert [(one.new, one.old, one.share, one.hold) for one in found] == [
        (3, 2, 100, 30),
        (3, 2, 500, 30),
        (3, 2, 1000, 30),
    ]
    assert stages(way, new=3, old=2, soak=600)[-1].hold == 600


def test_recreate_says_loudly_what_it_does():
    (stage,) = stages(Strategy(kind="recreate"), new=1, old=1, soak=0)
    assert stage.old_first
    assert "nothing answers" in stage.words


def test_a_volume_that_is_not_shared_makes_an_app_recreate_unless_it_says_otherwise():
    alone, shared = {"data": {"path": "/data"}}, {"data": {"path": "/data", "shared": True}}
    assert Config.model_validate({"volumes": alone}).rollout.kind == "recreate"
    assert Config.model_validate({"volumes": shared}).rollout.kind == "blue_green"
    assert Config.model_validate({"volumes": alone, "strategy": {"kind": "rolling"}}).rollout.kind == "rolling"


@pytest.mark.parametrize("steps", [[], [50], [50, 10, 100], [10, 10, 100], [0, 100], [100, 101]])
def test_steps_that_are_none_are_refused(steps):
    with pytest.raises(ValueError, match="steps"):
        Strategy(kind="canary", steps=steps)
