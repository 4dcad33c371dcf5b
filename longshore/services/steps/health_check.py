"""health_check: prove the new replicas, switch, prove the switch through the router. Then the old side has lost."""

from typing import Any

from sqlalchemy.orm import Session

from longshore.domain.ports import Answer
from longshore.domain.states import DeploymentState, Phase, ReplicaState
from longshore.errors import AppError, TransientError
from longshore.models import Deployment, Release, Replica
from longshore.services import releases, replicas, routing
from longshore.services.proving import Candidate, accepted, prove_all, still_running
from longshore.services.work import Work

ROUTER_TRIES = 40
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.25


class HealthCheckStep:
    """All replicas or nothing. Before the switch the old ones never notice a failure; after it the clean-up gives
    traffic back to them before anything else."""

    def run(self, work: Work) -> dict[int, int]:
        """The port each replica row answers on; ``AppError`` says what was wrong."""
        candidates = _candidates(work)
        ports = prove_all(work, candidates)
        _announce(work, ports)
        routing.apply(work.worker)
        _switch(work)
        for candidate in [one for one in candidates if one.routed][:1]:
            _prove_through_router(work, candidate)
        return ports

    def conclude(self, work: Work, session: Session, deployment: Deployment, result: dict[int, int]) -> dict[str, Any]:
        """The release is live, the deployment has succeeded, and every other replica of the app has lost."""
        app, now = deployment.app, work.worker.clock.now()
        release = deployment.release
        if release is None:
            raise AppError(f"{work.label} has no release", code="no_release")
        app.release, app.release_id = release, release.id
        app.config, app.env = _with_found_port(release, _found(result)), release.env
        for replica in _others(session, deployment):
            replica.move_to(ReplicaState.DRAINING, now)
        deployment.move_to(DeploymentState.SUCCEEDED, now)
        return {"ports": sorted(_found(result)), "slot": deployment.route_slot}


def _candidates(work: Work) -> list[Candidate]:
    with work.worker.db.read() as session:
        deployment = work.deployment(session)
        host = deployment.app.hosts[0]
        return [Candidate.of(replica, host) for replica in replicas.of(session, deployment.id)]


def _found(ports: dict[int, int]) -> set[int]:
    """The ports that are listened on; a process that listens on none has port 0."""
    return set(ports.values()) - {0}


def _announce(work: Work, ports: dict[int, int]) -> None:
    """Proven replicas may be known to the router; they stand in the slot that is not live."""
    with work.worker.db.write() as session:
        deployment = work.locked(session).deployment
        for replica in replicas.of(session, deployment.id):
            replica.port = ports[replica.id]
            if replica.state is ReplicaState.STARTING:
                replica.move_to(ReplicaState.HEALTHY, work.worker.clock.now())


def _switch(work: Work) -> None:
    """One row, then one command: a crash in between leaves rows that the next look makes the router follow."""
    work.finish()
    with work.worker.db.write() as session:
        deployment = work.locked(session).deployment
        app, now = deployment.app, work.worker.clock.now()
        if deployment.switched_at is None:
            deployment.slot_before = app.live_slot
            app.live_slot, deployment.switched_at = deployment.route_slot, now
            deployment.phase = Phase.SWITCHING
            deployment.tell("route.switched", now, slot=app.live_slot, before=deployment.slot_before)
    routing.apply(work.worker)


def _prove_through_router(work: Work, candidate: Candidate) -> None:
    """One good answer by the way every request goes, from a replica of this deployment."""
    with work.worker.db.read() as session:
        wanted = f"{work.app}_{work.deployment(session).route_slot}/"
    pause, answer = FIRST_PAUSE, Answer(None)
    for _ in range(ROUTER_TRIES):
        answer = work.worker.router.probe(None, candidate.route, candidate.check)
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
        Replica.state.in_([ReplicaState.STARTING, ReplicaState.HEALTHY]),
    )
    return list(rows)


def _with_found_port(release: Release, found: set[int]) -> dict[str, Any]:
    """The app's configuration; a port that was found by looking is remembered, so that nobody looks again."""
    other = found - {releases.port_of(release)}
    return {**release.config, "port": other.pop()} if other else dict(release.config)
