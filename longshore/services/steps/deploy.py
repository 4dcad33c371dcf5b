"""deploy: image → replicas that run, side by side, hardened, and not yet in traffic."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from longshore.domain.image_reference import ImageReference
from longshore.domain.names import container_labels
from longshore.domain.ports import Container, ContainerSpec, ImageFacts
from longshore.domain.rollout import Stage
from longshore.errors import AppError, PartDownError, PlatformError, TransientError
from longshore.models import Deployment, Release, Replica
from longshore.services import releases, replicas, rollout, volumes
from longshore.services.resting import rest
from longshore.services.work import Work

SIDE_BY_SIDE = 8


@dataclass(frozen=True)
class _Start:
    replica_id: int
    spec: ContainerSpec


class DeployStep:
    """Have the image, have the release, reserve names and addresses, start."""

    def run(self, work: Work) -> list[str]:
        """The containers that run."""
        _have_release(work)
        stage = _reserve(work)
        if stage.old_first:
            rest(work, stage)
        _have_volumes(work)
        return start(work, stage)

    def conclude(self, work: Work, session: Session, deployment: Deployment, result: list[str]) -> dict[str, Any]:
        """Which containers there are."""
        return {"containers": sorted(result)}


def start(work: Work, stage: Stage) -> list[str]:
    """Have running what a stage of the rollout needs, side by side; the ids of the containers."""
    starts = _starts(work, stage)
    if not starts:
        return []
    work.check()
    with ThreadPoolExecutor(min(len(starts), SIDE_BY_SIDE), thread_name_prefix="start") as pool:
        containers = list(pool.map(lambda one: _start(work, one), starts))
    with work.worker.db.write() as session:
        work.locked(session)
        for one, made in zip(starts, containers, strict=True):
            session.get_one(Replica, one.replica_id).container_id = made.id
    return [made.id for made in containers]


def _have_release(work: Work) -> None:
    """A built image has its release already. An image source is pulled; a configuration change takes what is live.
    A restart makes no release: it takes the very one that is live."""
    with work.worker.db.read() as session:
        deployment = work.deployment(session)
        source, release = deployment.source, deployment.release
    if release is not None:
        _have_image(work, release)
    elif "restart" in source:
        _have_image(work, _adopt(work))
    elif "image" in source:
        _record(work, _pulled(work, source["image"]))
    else:
        _record(work, _of_release(work, source))


def _adopt(work: Work) -> Release:
    with work.worker.db.write() as session:
        deployment = work.locked(session).deployment
        live = deployment.app.release
        if live is None:
            raise AppError(f"{work.app} has no live release", code="no_release", hint="Deploy a source first.")
        deployment.release, deployment.release_id = live, live.id
        return live


def _record(work: Work, image: releases.MadeImage) -> None:
    with work.worker.db.write() as session:
        deployment = work.locked(session).deployment
        if deployment.release is None:
            releases.record(work.worker, session, deployment, image)


def _pulled(work: Work, reference: str) -> releases.MadeImage:
    """A tag may have moved since it was pulled last, so it is asked for again; a digest cannot move."""
    parsed = ImageReference.parse(reference)
    facts = work.worker.engine.find_image(reference) if parsed.digest else None
    if facts is None:
        facts = _pull(work, reference)
    digests = [text.partition("@")[2] for text in facts.repo_digests if text.startswith(f"{parsed.repository}@")]
    return releases.MadeImage(reference, facts, digest=digests[0] if digests else parsed.digest)


def _pull(work: Work, reference: str) -> ImageFacts:
    """Pull; an image that only this host has (loaded, or built by hand) is taken as it is."""
    work.log.write(f"pulling {reference}")
    try:
        return work.worker.engine.pull(reference, work.tell, work.stopped)
    except PartDownError:
        raise
    except (AppError, TransientError):
        work.check()
        here = work.worker.engine.find_image(reference)
        if here is None:
            raise
        work.log.write(f"{reference} cannot be pulled; the copy on this host is used")
        return here


def _of_release(work: Work, source: dict[str, Any]) -> releases.MadeImage:
    """The image of an older release, or of the one that is live."""
    with work.worker.db.read() as session:
        app = work.deployment(session).app
        base = app.release if "current" in source else releases.numbered(session, app, source["release"])
        if base is None:
            raise AppError(f"{app.name} has no live release", code="no_release", hint="Deploy a source first.")
    facts = _have_image(work, base)
    commands = releases.procfile_commands(base)
    return releases.MadeImage(base.image, facts, digest=base.digest, dockerfile=base.dockerfile, commands=commands)


def _have_image(work: Work, release: Release) -> ImageFacts:
    engine = work.worker.engine
    facts = engine.find_image(release.image_id)
    if facts is None:
        work.log.write(f"pulling {release.image}")
        facts = engine.pull(_pinned(release), work.tell, work.stopped)
    if facts.id != release.image_id:
        raise PlatformError(
            f"release {release.number} is the image {release.image_id}, but {_pinned(release)} is {facts.id}",
            code="wrong_image",
        )
    return facts


def _pinned(release: Release) -> str:
    parsed = ImageReference.parse(release.image)
    return f"{parsed.repository}@{release.digest}" if release.digest else release.image


def _reserve(work: Work) -> Stage:
    """Rows first: whatever happens next, what was made can be found again. The first stage of the rollout."""
    network = work.worker.engine.network()
    with work.worker.db.write() as session:
        deployment = work.locked(session).deployment
        replicas.reserve(work.worker, session, deployment, network)
        volumes.reserve(work.worker, session, deployment)
        session.flush()
        return rollout.stages(session, deployment)[0]


def _starts(work: Work, stage: Stage) -> list[_Start]:
    """What a stage needs that is not known to have been started."""
    network = work.worker.engine.network()
    with work.worker.db.read() as session:
        rows = rollout.started_by(stage, replicas.of(session, work.deployment_id))
        return [_Start(row.id, _spec(work, row, network.name)) for row in rows if row.container_id is None]


def _have_volumes(work: Work) -> None:
    with work.worker.db.read() as session:
        release = work.deployment(session).release
    if release is not None:
        volumes.ensure(work, release.declared)


def _spec(work: Work, replica: Replica, network: str) -> ContainerSpec:
    release, stack = replica.release, work.worker.settings.stack
    declared = release.declared
    process = declared.runs[replica.process]
    port = {"PORT": str(replica.port)} if replica.port else {}
    return ContainerSpec(
        name=replica.name,
        image_id=release.image_id,
        labels=container_labels(stack, work.app, release.number, replica.generation, replica.process, replica.slot),
        network=network,
        address=replica.address,
        env={**port, **work.worker.box.open(release.env)},
        command=process.command,
        resources=process.resources or declared.resources,
        capabilities=declared.hardening.capabilities,
        read_only=declared.hardening.read_only,
        volumes=volumes.mounts(stack, work.app, declared),
    )


def _start(work: Work, start: _Start) -> Container:
    work.check()
    return work.worker.engine.start(start.spec)
