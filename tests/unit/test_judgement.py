"""When a release is worse than the one before: only with enough requests, by much, and against the same counters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.judgement import Tally, worse


@pytest.mark.parametrize(
    ("new", "old", "bad"),
    [
        (Tally(100, 10, 0.01), Tally(1000, 0, 0.01), "10.0% of its requests failed, against 0.0% before"),
        (Tally(19, 19, 0.01), Tally(1000, 0, 0.01), None),  # too few to tell
        (Tally(100, 4, 0.01), Tally(1000, 0, 0.01), None),  # a little is no reason
        (Tally(100, 50, 0.01), Tally(1000, 400, 0.01), None),  # the old one was about as bad
        (Tally(100, 100, 0.01), Tally(), "100.0% of its requests failed, against 0.0% before"),
        (Tally(100, 0, 0.5), Tally(1000, 0, 0.1), "its answers take 500 ms, against 100 ms before"),
        (Tally(100, 0, 0.05), Tally(1000, 0, 0.001), None),  # fifty times as slow, and still fast
        (Tally(100, 0, 5.0), Tally(3, 0, 0.1), None),  # nothing to compare with
    ],
)
def test_what_is_worse(new, old, bad):
    assert worse(new, old, None) == bad


def test_where_a_limit_is_declared_p_is_told():
    told = worse(Tally(100, 0, 0.5), Tally(1000, 0, 0.1), 50)
    assert told == "its answers take 500 ms, against 100 ms before, and with it P, 5.0 times that of before"


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=30), st.sets(st.integers(0, 29)))
def test_everything_is_counted_once_also_over_reloads(steps, reloads):
    tally, requests, errors = Tally(), 0, 0
    for number, (more, bad) in enumerate(steps):
        if number in reloads:
            tally, requests, errors = tally.counted(requests, errors, 0.1), 0, 0
            tally = tally.counted(0, 0, 0.1)  # a look at the router after the reload
        requests, errors = requests + more + bad, errors + bad
        tally = tally.counted(requests, errors, 0.1)
    assert tally.requests == sum(more + bad for more, bad in steps)
    assert tally.errors == sum(bad for _, bad in steps)
