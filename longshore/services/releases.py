"""Releases: made when the image is known, and what a deployment's configuration comes to."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.ports import ImageFacts, SecretBox
from longshore.domain.specs import Config, merge_patch
from longshore.errors import NotFoundError
from longshore.models import App, Deployment, Release
from longshore.services.apps import find
from longshore.services.context import Services, WorkerServices
from longshore.services.pages import Page, page
from longshore.services.views import ReleaseView, release_view

DEFAULT_PORT = 80


@dataclass(frozen=True)
class MadeImage:
    """An image a release is made of."""

    reference: str
    facts: ImageFacts
    digest: str | None = None
    dockerfile: str | None = None
    commit: str | None = None


def effective_config(deployment: Deployment) -> Config:
    """The app's configuration with what this deployment changes; an older release brings all of its own."""
    base = {} if "release" in deployment.source else deployment.app.config
    return Config.model_validate(merge_patch(base, deployment.config))


def config_of(deployment: Deployment) -> Config:
    """That of its release; before there is one, what it comes to."""
    return deployment.release.declared if deployment.release else effective_config(deployment)


def effective_env(box: SecretBox, deployment: Deployment) -> dict[str, str]:
    """The app's environment with what this deployment changes; null removes. An older release brings all of it."""
    env: dict[str, Any] = {} if "release" in deployment.source else box.open(deployment.app.env)
    return merge_patch(env, box.open(deployment.env)) if deployment.env else env


def image_tag(worker: WorkerServices, deployment: Deployment) -> str:
    """What the image that a deployment builds is called."""
    return f"{worker.registry.prefix}/{deployment.app.name}:{deployment.number}"


def record(services: Services, session: Session, deployment: Deployment, image: MadeImage) -> Release:
    """Make the release of this deployment: the image together with the configuration as it is now."""
    app = deployment.app
    app.releases_made += 1
    release = Release(
        app_id=app.id,
        number=app.releases_made,
        image=image.reference,
        image_id=image.facts.id,
        digest=image.digest,
        config=effective_config(deployment).model_dump(mode="json"),
        env=services.box.seal(effective_env(services.box, deployment)),
        source=_remembered(deployment.source, image.commit),
        dockerfile=image.dockerfile,
        exposed_ports=list(image.facts.ports),
        created_at=services.clock.now(),
    )
    session.add(release)
    session.flush()
    deployment.release, deployment.release_id = release, release.id
    deployment.tell("release.made", services.clock.now(), release=release.number, image_id=release.image_id)
    return release


def port_of(release: Release) -> int:
    """The app's port; else the image's only exposed one; else 80."""
    if release.declared.port:
        return release.declared.port
    return release.exposed_ports[0] if len(release.exposed_ports) == 1 else DEFAULT_PORT


def numbered(session: Session, app: App, number: int) -> Release:
    """A release of the app; ``NotFoundError`` when there is none of that number."""
    release = session.scalar(select(Release).where(Release.app_id == app.id, Release.number == number))
    if release is None:
        raise NotFoundError(
            f"{app.name} has no release {number}", hint=f"`longshore releases {app.name}` shows those it has."
        )
    return release


def show_all(services: Services, app_name: str, *, limit: int, cursor: str | None) -> Page:
    """The releases of an app, newest first."""
    with services.db.read() as session:
        app = find(session, app_name)

        def view(release: Release) -> ReleaseView:
            return release_view(release, release.id == app.release_id, sorted(services.box.open(release.env)))

        query = select(Release).where(Release.app_id == app.id)
        return page(session, query, Release.number, view, limit=limit, cursor=cursor)


def _remembered(source: dict[str, Any], commit: str | None) -> dict[str, Any]:
    return {**source, "commit": commit} if commit else source
