"""What a deployment changes against the last release that was good."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.ports import SecretBox
from longshore.domain.specs import Config
from longshore.domain.states import DeploymentState, JobKind
from longshore.models import BuildStep, Deployment, Job, Release
from longshore.services import releases
from longshore.services.digest_views import ChangesView, EnvChangesView, PairView

DEEPEST = 2  # levels of a configuration that are told apart


def last_good(session: Session, deployment: Deployment) -> Deployment | None:
    """The newest one before it that succeeded."""
    return session.scalar(
        select(Deployment)
        .where(
            Deployment.app_id == deployment.app_id,
            Deployment.state == DeploymentState.SUCCEEDED,
            Deployment.number < deployment.number,
        )
        .order_by(Deployment.number.desc())
        .limit(1)
    )


def changes(session: Session, box: SecretBox, deployment: Deployment) -> ChangesView | None:
    """What is different now: of the environment only names. ``None`` when nothing was good before."""
    good = last_good(session, deployment)
    if good is None or good.release is None:
        return None
    before, env = good.release, environment(box, deployment)
    return ChangesView(
        release=before.number,
        commit=_pair(_commit(before.source), _commit(_source(deployment))),
        image=_pair(_image(before), _image(deployment.release)),
        base_image=_pair(_base_image(session, before), _base_image_of(session, deployment)),
        env=env_changes(box.open(before.env), env),
        config=_different(
            _flat(before.declared.model_dump(mode="json")), _flat(declared(deployment).model_dump(mode="json"))
        ),
    )


def environment(box: SecretBox, deployment: Deployment) -> dict[str, str]:
    """The environment it was, or would have been, started with."""
    if deployment.release is not None:
        return box.open(deployment.release.env)
    return releases.effective_env(box, deployment)


def env_changes(before: Mapping[str, str], now: Mapping[str, str]) -> EnvChangesView:
    """Names only: a value never leaves."""
    return EnvChangesView(
        added=sorted(now.keys() - before.keys()),
        changed=sorted(key for key in now.keys() & before.keys() if now[key] != before[key]),
        removed=sorted(before.keys() - now.keys()),
    )


def declared(deployment: Deployment) -> Config:
    """The configuration it was, or would have been, started with."""
    return deployment.release.declared if deployment.release else releases.effective_config(deployment)


def _source(deployment: Deployment) -> dict[str, Any]:
    return deployment.release.source if deployment.release else deployment.source


def _commit(source: Mapping[str, Any]) -> str | None:
    commit = source.get("commit")
    return str(commit) if commit else None


def _image(release: Release | None) -> str | None:
    """Of a release that was not built: the image it was made of. A tag may stay while its digest moves."""
    if release is None or "image" not in release.source:
        return None
    return f"{release.image} {release.digest or release.image_id}"


def _base_image(session: Session, release: Release) -> str | None:
    """Of the deployment that built it: an older release that was deployed again has no steps of its own."""
    built = session.scalar(
        select(Deployment).where(Deployment.release_id == release.id).order_by(Deployment.number).limit(1)
    )
    return _base_image_of(session, built) if built else None


def _base_image_of(session: Session, deployment: Deployment) -> str | None:
    steps = select(BuildStep.name).join(Job, BuildStep.job_id == Job.id)
    ours = steps.where(Job.deployment_id == deployment.id, Job.kind == JobKind.BUILD).order_by(BuildStep.position)
    return base_image(session.scalars(ours))


def base_image(steps: Iterable[str]) -> str | None:
    """What the last stage with a digest stands on: ``python:3.13-slim@sha256:…``; the builder tells it in its step."""
    found = [name.partition("FROM ")[2].split() for name in steps if "FROM " in name and "@sha256:" in name]
    return found[-1][0][:500] if found and found[-1] else None


def _pair(before: str | None, now: str | None) -> PairView | None:
    """Told only where both are known and differ."""
    return PairView(before=before, now=now) if before and now and before != now else None


def _flat(value: Mapping[str, Any], depth: int = DEEPEST) -> dict[str, Any]:
    """Fields by their path: ``health_check.path``."""
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, dict) and inner and depth > 1:
            flat |= {f"{key}.{name}": one for name, one in _flat(inner, depth - 1).items()}
        else:
            flat[key] = inner
    return flat


def _different(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
