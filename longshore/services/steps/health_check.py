"""health_check: stage by stage prove new replicas, lead requests to them, prove that through the router. Then the old
side has lost."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from longshore.domain.names import WEB
from longshore.domain.ports import Answer
from longshore.domain.rollout import Stage
from longshore.domain.states import STANDING, DeploymentState, Phase, ReplicaState
from longshore.errors import AppError, TransientError
from longshore.models import Deployment, Release, Replica
from longshore.services import releases, replicas, rollout, routing, watching
from longshore.services.proving import Candidate, accepted, prove_all, still_running
from longshore.services.resting import rest
from longshore.services.steps.deploy import start
from longshore.services.work import Hold, Work

ROUTER_TRIES = 40
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.25


class HealthCheckStep:
    """All replicas or nothing, stage by stage. Before the switch the old ones never notice a failure; after it the
    clean-up gives traffic back to them before anything else."""

    def run(self, work: Work) -> Hold | None:
        """``Hold`` when a stage is to be watched now; ``AppError`` says what was wrong."""
        left = _stages_left(work)
        for number, stage in left:
            if len(left) > 1 or stage.hold:
                work.log.write(f"stage {number}: {stage.words}")
            start(work, stage)
            _prove(work, stage)
            routing.apply(work.worker)
            _shift(work, stage)
            _prove_through_router(work, stage)
            rest(work, stage)
            if stage.hold:
                return Hold(number, stage.hold, stage.words)
            if number < left[-1][0]:
                _note_done(work, number)
        _keep(work)
        return None

    def conclude(self, work: Work, session: Session, deployment: Deployment, result: None) -> dict[str, Any]:
        """The release is live, the deployment has succeeded, and every other replica of the app has lost."""
        app, now = deployment.app, work.worker.clock.now()
        release = deployment.release
        if release is None:
            raise AppError(f"{work.label} has no release", code="no_release")
        ports = {row.port for row in replicas.of(session, deployment.id) if row.process == WEB}
        app.release, app.release_id = release, release.id
        app.config, app.env = _with_found_port(release, ports), release.env
        for replica in _others(session, deployment):
            replica.move_to(ReplicaState.DRAINING, now)
        deployment.move_to(DeploymentState.SUCCEEDED, now)
        return {"ports": sorted(ports), "slot": deployment.route_slot}


def _stages_left(work: Work) -> list[tuple[int, Stage]]:
    """With their numbers, counted from one; those that are done, or were held, are over."""
    with work.worker.db.read() as session:
        deployment = work.deployment(session)
        return list(enumerate(rollout.stages(session, deployment), 1))[deployment.stage :]


def _prove(work: Work, stage: Stage) -> None:
    """What is not proven yet is proven; what was and has ended with the engine meanwhile is proven again."""
    rows = _rows(work, stage)
    candidates = [one for row, one in rows if row.state is ReplicaState.STARTING or not still_running(work, one)]
    if candidates:
        _announce(work, prove_all(work, candidates, keep=not stage.hold))


def _keep(work: Work) -> None:
    """What was watched outlives the engine from now on; until then whoever ends stays dead, for the judge to see."""
    with work.worker.db.read() as session:
        watched = any(stage.hold for stage in rollout.stages(session, work.deployment(session)))
        names = [row.name for row in replicas.of(session, work.deployment_id)] if watched else []
    for name in names:
        work.check()
        work.worker.engine.keep_running(name)


def _rows(work: Work, stage: Stage) -> list[tuple[Replica, Candidate]]:
    with work.worker.db.read() as session:
        deployment = work.deployment(session)
        host = deployment.app.hosts[0]
        rows = rollout.started_by(stage, replicas.of(session, deployment.id))
        return [(row, Candidate.of(row, host)) for row in rows]


def _announce(work: Work, ports: dict[int, int]) -> None:
    """Proven replicas may be known to the router; they stand in the slot that is not live."""
    with work.worker.db.write() as session:
        deployment = work.locked(session).deployment
        for replica in replicas.of(session, deployment.id):
            replica.port = ports.get(replica.id, replica.port)
            if replica.id in ports and replica.state is ReplicaState.STARTING:
                replica.move_to(ReplicaState.HEALTHY, work.worker.clock.now())


def _shift(work: Work, stage: Stage) -> None:
    """One row, then one command: a crash in between leaves rows that the next look makes the router follow."""
    if stage.whole:
        work.finish()
    counted = work.worker.router.counters()
    with work.worker.db.write() as session:
        deployment = work.locked(session).deployment
        watching.begin(deployment, counted)
        if stage.whole:
            _switch(deployment, work.worker.clock.now())
        else:
            _share(deployment, stage, work.worker.clock.now())
    routing.apply(work.worker)


def _switch(deployment: Deployment, now: datetime) -> None:
    app = deployment.app
    if deployment.switched_at is None:
        deployment.slot_before = app.live_slot
        app.live_slot, app.share, deployment.switched_at = deployment.route_slot, 0, now
        deployment.phase = Phase.SWITCHING
        deployment.tell("route.switched", now, slot=app.live_slot, before=deployment.slot_before)


def _share(deployment: Deployment, stage: Stage, now: datetime) -> None:
    if deployment.app.share != stage.share:
        deployment.app.share = stage.share
        deployment.tell("route.shared", now, slot=deployment.route_slot, per_mille=stage.share)


def _note_done(work: Work, number: int) -> None:
    with work.worker.db.write() as session:
        work.locked(session).deployment.stage = number


def _prove_through_router(work: Work, stage: Stage) -> None:
    """One good answer by the way every request goes, from a replica of this deployment; while it has a share of the
    requests only, by naming its slot. What has no web process has no route to prove."""
    candidate = next((one for _, one in _rows(work, stage) if one.routed), None)
    if candidate is None:
        return
    with work.worker.db.read() as session:
        slot = work.deployment(session).route_slot
    wanted, asked = f"{work.app}_{slot}/", None if stage.whole else slot
    pause, answer = FIRST_PAUSE, Answer(None)
    for _ in range(ROUTER_TRIES):
        answer = work.worker.router.probe(asked, candidate.route, candidate.check)
        if answer.served_by.startswith(wanted) and accepted(answer, candidate.check):
            work.log.write(f"seen healthy through the router: {candidate.route} is served by {answer.served_by}")
            return
        work.check()
        still_running(work, candidate)
        work.worker.clock.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
    if answer.status is None or not answer.served_by.startswith(wanted):
        raise TransientError(
            f"the router does not lead {candidate.route} to the new release: {answer.problem or answer.served_by}",
            code="route_unproven",
        )
    raise AppError(f"through the router {candidate.route} answers {answer.status}", code="unhealthy_through_router")


def _others(session: Session, deployment: Deployment) -> list[Replica]:
    rows = session.query(Replica).filter(
        Replica.app_id == deployment.app_id,
        Replica.deployment_id != deployment.id,
        Replica.state.in_(STANDING),
    )
    return list(rows)


def _with_found_port(release: Release, found: set[int]) -> dict[str, Any]:
    """The app's configuration; a port that was found by looking is remembered, so that nobody looks again."""
    other = found - {releases.port_of(release)}
    return {**release.config, "port": other.pop()} if other else dict(release.config)
