"""push: image → registry. Writes the release's digest, once."""

from typing import Any

from sqlalchemy.orm import Session

from longshore.domain.image_reference import ImageReference
from longshore.errors import PlatformError, TransientError
from longshore.models import Deployment
from longshore.services.work import Work


class PushStep:
    """Push, then ask the registry itself for the digest it reported."""

    def run(self, work: Work) -> str:
        """The digest."""
        with work.worker.db.read() as session:
            release = work.deployment(session).release
            if release is None:
                raise PlatformError(f"{work.label} has no release to push", code="no_release")
            image_id, reference = release.image_id, release.image
        work.log.write(f"pushing {reference}")
        work.check()  # nothing that may wait stands between this and the push
        digest = work.worker.engine.push(image_id, reference, work.tell, work.stopped)
        if not digest:
            work.check()
        _prove(work, reference, digest)
        work.log.write(f"pushed {digest}")
        return digest

    def conclude(self, work: Work, session: Session, deployment: Deployment, result: str) -> dict[str, Any]:
        """The release knows where its image lies."""
        if deployment.release is not None and deployment.release.digest is None:
            deployment.release.digest = result
        return {"digest": result}


def _prove(work: Work, reference: str, digest: str) -> None:
    """Look it up by tag: the answer is what a host that pulls this tag would get."""
    parsed = ImageReference.parse(reference)
    held = work.worker.registry.digest(parsed.path, parsed.version)
    if held != digest:
        raise TransientError(
            f"the engine pushed {digest}, but the registry holds {held or 'nothing'} as {reference}",
            code="digest_differs",
        )
