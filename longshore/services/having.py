"""Having the release and its image: what must be there before any container of a deployment starts."""

from typing import Any, Protocol

from longshore.domain.image_reference import ImageReference
from longshore.domain.ports import ImageFacts
from longshore.errors import AppError, PartDownError, PlatformError, TransientError
from longshore.models import Release
from longshore.services import releases
from longshore.services.context import WorkerServices
from longshore.services.logs import Log
from longshore.services.work import Work


class Pulling(Protocol):
    """What an image is pulled for: it hears of it, and may end it."""

    @property
    def worker(self) -> WorkerServices:
        """The ports."""
        ...

    @property
    def log(self) -> Log:
        """Where it is told."""
        ...

    def tell(self, line: str) -> None:
        """A line of news."""
        ...

    def stopped(self) -> bool:
        """Whether to stop."""
        ...


def have_release(work: Work) -> None:
    """Whoever needs the release first makes it: a built image has its release already, an image source is pulled, and
    a change of configuration takes what is live. A restart makes none: it takes the very one that is live."""
    with work.worker.db.read() as session:
        deployment = work.deployment(session)
        source, release = deployment.source, deployment.release
    if release is not None:
        have_image(work, release)
    elif "restart" in source:
        have_image(work, _adopt(work))
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
    facts = have_image(work, base)
    commands = releases.procfile_commands(base)
    return releases.MadeImage(base.image, facts, digest=base.digest, dockerfile=base.dockerfile, commands=commands)


def have_image(work: Pulling, release: Release) -> ImageFacts:
    """The image of a release, on this host; pulled where it is missing."""
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
