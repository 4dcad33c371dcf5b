"""The points come from the code itself: over fakes and in a real stack they are the same ones."""

import projects
import pytest
from catalogue import ARMS, SOURCES, catalogue, reached_over_fakes
from harness import until
from sqlalchemy import select
from trial import Trial

from longshore.domain import ports
from longshore.domain.states import JobKind
from longshore.models import Deployment, Job
from longshore.testing.points import LOOKS

PORTS = {"queue": "Queue", "git": "GitFetch", "files": "SourceFiles"}


@pytest.fixture(scope="module")
def trial(on_sqlite: Trial) -> Trial:
    """One with a live version."""
    on_sqlite.ready()
    return on_sqlite


def test_there_are_many_and_every_job_has_some() -> None:
    points = catalogue()
    assert len(points) >= 25
    assert {named.job for named in points} == {kind.value for kind in JobKind} - {"pre_build", "post_deploy"}
    assert len({str(named) for named in points}) == len(points)


def test_every_commit_and_every_effect_has_two_sides() -> None:
    names = {named.name for named in catalogue()}
    before = {name for name in names if ": before " in name}
    assert {name.replace(": before ", ": after ") for name in before} == {name for name in names if ": after " in name}


@pytest.mark.parametrize("port", LOOKS)
def test_what_only_looks_is_a_method_of_its_port(port: str) -> None:
    protocol = getattr(ports, PORTS.get(port, port.capitalize()))
    assert LOOKS[port] <= {name for name in vars(protocol) if not name.startswith("_")}


@pytest.mark.parametrize("source", SOURCES)
def test_a_real_deployment_passes_the_points_that_one_over_fakes_passes(trial: Trial, source: str) -> None:
    trial.rig.arm([], "kill")
    view, trial.live = trial.begin(source)
    assert trial.rig.ended(view)["state"] == "succeeded"
    reached = {one["name"] for one in trial.rig.reached()}
    trial.rig.disarm()
    assert _joined(reached) == _joined(set(reached_over_fakes(source)))


def _joined(names: set[str]) -> set[str]:
    """Push and deploy run side by side, and only the one that ends last rings; what is no job is not asked for."""
    one = "/".join(ARMS)
    rings = {name for name in names if "queue.send" in name and name.partition(":")[0] in ARMS}
    return {name for name in names - rings if not name.startswith("web:")} | {
        f"{one}:{name.partition(':')[2]}" for name in rings
    }


def test_the_process_that_reaches_the_armed_point_is_killed_and_comes_back(trial: Trial) -> None:
    rig = trial.rig
    before = sum(len(one.deaths) for one in rig.processes.values())
    rig.arm(["build: after commit of claim"], "kill")
    view = rig.begin(trial.app, projects.web("once more"))
    pid = rig.caught()["pid"]
    assert rig.ended(view)["state"] == "succeeded"
    until(lambda: sum(len(one.deaths) for one in rig.processes.values()) == before + 1, what="one process died")
    until(lambda: rig.process_of(pid) is None, what="another one is in its place")
    with rig.rows_of() as session:
        losses = session.scalars(select(Job.losses).join(Deployment).where(Deployment.number == view["number"])).all()
    assert sorted(losses) == [0, 0, 0, 0, 0, 1]
