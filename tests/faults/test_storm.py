"""Two hundred deployments of twenty apps, every one of them wanted, while workers are killed all the time."""

import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from checker import Expected, check
from harness import until
from rig import Rig
from sqlalchemy import func, select
from trial import Trial

from longshore.domain.names import LABEL_APP, LABEL_STACK
from longshore.domain.states import DeploymentState
from longshore.models import App, Deployment, Event

pytestmark = pytest.mark.timeout(600)
APPS, EACH, SEED = 20, 10, 20261124
PAUSES = (1.0, 4.0)  # seconds between two kills
WITHIN = 400.0  # alone on two cores it takes 140 s; a busy machine is no failure


@pytest.fixture(scope="module")
def trial(make_rig: Callable[..., Rig]) -> Trial:
    """A rig on PostgreSQL with three workers."""
    return Trial(make_rig(postgres=True, workers=3, drain_limit=1, stop_grace=1), replicas=1)


def test_two_hundred_deployments_are_all_done_while_workers_are_killed(trial: Trial, record_property) -> None:
    rig, names = trial.rig, [f"s{number}" for number in range(1, APPS + 1)]
    image = trial.image_that_says()
    for name in names:
        assert rig.ask("POST", "/v1/apps", json={"name": name, "queue": "all"}).status_code == 201
    began, over = time.monotonic(), threading.Event()
    killer = threading.Thread(target=_kill_at_random, args=(rig, over))
    killer.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: _ask_for_all(rig, name, image), names))
        until(lambda: _open(rig) == 0, WITHIN, "everything has ended")
    finally:
        over.set()
        killer.join()
    took = time.monotonic() - began
    assert _failures(rig) == []
    for name in names:
        check(rig, Expected(name, EACH))
        assert rig.text(name) == f"{name} {EACH}"
    assert _switches(rig) == {name: list(range(1, EACH + 1)) for name in names}
    labels = [f"{LABEL_STACK}={rig.name}", LABEL_APP]
    assert len(rig.connection.client.containers(all=True, filters={"label": labels})) == APPS
    deaths = sum(len(process.deaths) for process in rig.processes.values())
    assert deaths >= 10
    record_property("fault", [f"200 deployments, {deaths} kills", f"seed {SEED}", "postgresql", None, took, None])


def _ask_for_all(rig: Rig, name: str, image: str) -> None:
    for number in range(1, EACH + 1):
        answer = rig.send(name, {"image": image}, env={"TEXT": f"{name} {number}"})
        assert answer.status_code == 202, answer.text


def _kill_at_random(rig: Rig, over: threading.Event) -> None:
    chance = random.Random(SEED)
    while not over.wait(chance.uniform(*PAUSES)):
        rig.processes[chance.choice(rig.workers)].signal(signal.SIGKILL)


def _open(rig: Rig) -> int:
    with rig.rows_of() as session:
        return session.scalar(select(func.count(Deployment.id)).where(Deployment.ended_at.is_(None))) or 0


def _failures(rig: Rig) -> list[str]:
    """What ended in any other way than it should, and why."""
    with rig.rows_of() as session:
        lost = session.scalars(select(Deployment).where(Deployment.state != DeploymentState.SUCCEEDED)).all()
        return [f"{one.label} is {one.state}: {one.error_code}: {one.error_message}" for one in lost]


def _switches(rig: Rig) -> dict[str, list[int]]:
    """In which order the deployments of each app took the traffic: their own, each once."""
    with rig.rows_of() as session:
        query = (
            select(App.name, Deployment.number)
            .join(Deployment, Deployment.app_id == App.id)
            .join(Event, Event.deployment_id == Deployment.id)
            .where(Event.kind == "route.switched")
            .order_by(Event.id)
        )
        found: dict[str, list[int]] = {}
        for name, number in session.execute(query):
            found.setdefault(name, []).append(number)
        return found
