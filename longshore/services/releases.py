"""Releases: made when the image is known, and what a deployment's configuration comes to."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from longshore.domain.names import WEB
from longshore.domain.ports import ImageFacts, SecretBox
from longshore.domain.procfile import Commands, Procfile, applied
from longshore.domain.specs import Config, merge_patch
from longshore.errors import ConflictError, LongshoreError, NotFoundError
from longshore.models import App, Deployment, Release
from longshore.services import apps
from longshore.services.context import Services, WorkerServices
from longshore.services.pages import Page, page
from longshore.services.release_views import ReleaseView, release_view

DEFAULT_PORT = 80
PROCFILE = "procfile"  # in what a release remembers of its source: the commands it took from there
ASKED_ON_A_PORT = ("http", "tcp")


@dataclass(frozen=True)
class MadeImage:
    """An image a release is made of."""

    reference: str
    facts: ImageFacts
    digest: str | None = None
    dockerfile: str | None = None
    commit: str | None = None
    built: bool = False  # now, from a source: then its Procfile counts, and else what an older release took from one
    procfile: Procfile | None = None
    commands: Commands = field(default_factory=dict)


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
    config, commands = _configured(deployment, image)
    release = Release(
        app_id=app.id,
        number=app.releases_made,
        image=image.reference,
        image_id=image.facts.id,
        digest=image.digest,
        config=config.model_dump(mode="json"),
        env=services.box.seal(effective_env(services.box, deployment)),
        source=_remembered(deployment.source, image.commit, commands),
        dockerfile=image.dockerfile,
        exposed_ports=list(image.facts.ports),
        created_at=services.clock.now(),
    )
    session.add(release)
    session.flush()
    deployment.release, deployment.release_id = release, release.id
    deployment.tell("release.made", services.clock.now(), release=release.number, image_id=release.image_id)
    return release


def _configured(deployment: Deployment, image: MadeImage) -> tuple[Config, Commands]:
    """The configuration of a release, and which of its commands are those of a Procfile."""
    config, live = effective_config(deployment), deployment.app.release
    if not image.built:
        return config, image.commands
    return applied(image.procfile, config, procfile_commands(live) if live else {})


def procfile_commands(release: Release) -> Commands:
    """The commands a release has from its Procfile."""
    return dict(release.source.get(PROCFILE, {}))


def port_of(release: Release, process: str = WEB) -> int:
    """The app's port; else the image's only exposed one; else 80. Of a process that nobody asks on a port: 0."""
    declared = release.declared
    check = None if process == WEB else declared.runs[process].health_check
    if process != WEB and (check is None or check.kind not in ASKED_ON_A_PORT):
        return 0
    if declared.port:
        return declared.port
    return release.exposed_ports[0] if len(release.exposed_ports) == 1 else DEFAULT_PORT


def numbered(session: Session, app: App, number: int) -> Release:
    """A release of the app; ``NotFoundError`` when there is none of that number."""
    release = session.scalar(select(Release).where(Release.app_id == app.id, Release.number == number))
    if release is None:
        raise NotFoundError(
            f"{app.name} has no release {number}", hint=f"`longshore releases {app.name}` shows those it has."
        )
    return release


def obstacle(services: Services, release: Release) -> ConflictError | None:
    """Why nobody can go back to a release, if nobody can: it is blocked, or its image or its environment is lost.

    Judged by what workers saw of the host last; the deploy job looks itself, before anything changes.
    """
    if release.blocked_reason is not None:
        hint = f"`longshore releases unblock {release.app.name} {release.number}` lifts that."
        why = f"{release.blocked_by} marked it: {release.blocked_reason}"
        return ConflictError(why, code="release_blocked", hint=hint)
    if release.on_host is False and release.digest is None:
        hint = "Deploy its source again."
        return ConflictError(_image_gone(services, release), code="image_gone", hint=hint)
    if env_of(services, release) is None:
        hint = "Put the key it was written with back into LONGSHORE_SECRET_KEYS or the file keys in the home."
        return ConflictError("its environment cannot be decrypted with the keys at hand", code="wrong_key", hint=hint)
    return None


def refuse_return(services: Services, release: Release) -> None:
    """``ConflictError`` when nobody can go back to a release."""
    if (found := obstacle(services, release)) is not None:
        message = f"{release.app.name} cannot go back to release {release.number}: {found.message}"
        raise ConflictError(message, code=found.code, hint=found.hint)


def env_of(services: Services, release: Release) -> dict[str, str] | None:
    """Its environment; ``None`` when none of the keys opens it."""
    try:
        return services.box.open(release.env)
    except LongshoreError:
        return None


def block(services: Services, app_name: str, number: int, reason: str, actor: str) -> ReleaseView:
    """From now on nobody goes back to this release; again: with another reason."""
    with services.db.write() as session:
        release = _held(session, app_name, number)
        release.blocked_reason, release.blocked_by = reason, actor
        facts = {"release": number, "actor": actor, "reason": reason}
        apps.tell(services, session, release.app, "release.blocked", **facts)
        return _view(services, release)


def unblock(services: Services, app_name: str, number: int, actor: str) -> ReleaseView:
    """One may go back to it again. Without a mark there is nothing to do."""
    with services.db.write() as session:
        release = _held(session, app_name, number)
        if release.blocked_reason is not None:
            release.blocked_reason = release.blocked_by = None
            apps.tell(services, session, release.app, "release.unblocked", release=number, actor=actor)
        return _view(services, release)


def show_all(services: Services, app_name: str, *, limit: int, cursor: str | None) -> Page:
    """The releases of an app, newest first."""
    with services.db.read() as session:
        query = select(Release).where(Release.app_id == apps.find(session, app_name).id)
        query = query.options(joinedload(Release.app))
        return page(session, query, Release.number, lambda one: _view(services, one), limit=limit, cursor=cursor)


def _held(session: Session, app_name: str, number: int) -> Release:
    return numbered(session, apps.lock(session, app_name), number)


def _view(services: Services, release: Release) -> ReleaseView:
    live = release.id == release.app.release_id
    found = obstacle(services, release)
    why = "it is live" if live else found.message if found else None
    return release_view(release, live, sorted(env_of(services, release) or ()), why)


def _image_gone(services: Services, release: Release) -> str:
    if release.let_go_at is not None:
        return f"its image was removed: more than {services.settings.releases_kept} releases ago"
    return "its image is not on this host any more, and no registry is known to have it"


def _remembered(source: dict[str, Any], commit: str | None, commands: Commands) -> dict[str, Any]:
    found = {"commit": commit, PROCFILE: dict(commands)}
    return {**source, **{key: value for key, value in found.items() if value}}
