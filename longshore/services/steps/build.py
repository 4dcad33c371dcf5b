"""build: source → image. Makes the release."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.names import LABEL_APP, LABEL_STACK
from longshore.domain.ports import BuildLine, BuildNews, BuildRequest, BuildStepSeen, ImageFacts
from longshore.domain.specs import Build
from longshore.errors import AppError, PlatformError
from longshore.models import BuildStep as BuildStepRow
from longshore.models import Deployment
from longshore.services import job_plan, releases, sources
from longshore.services.disk import need_room
from longshore.services.work import Work

CLIPPED = "[output clipped, log limit"  # BuildKit's words: from here on a step may print, and nobody hears it


class BuildStep:
    """Fetch, write a Dockerfile where there is none, build. The folder it works in is gone afterwards."""

    def run(self, work: Work) -> releases.MadeImage:
        """The image; ``AppError`` with the step that failed, or with the limit that was over."""
        settings = work.worker.settings
        need_room(work.worker)
        source, build, tag = _wanted(work)
        with work.worker.files.build_folder(work.folder_name) as folder:
            prepared = sources.prepare(work, source, build, folder)
            request = BuildRequest(
                context=prepared.tar,
                dockerfile=prepared.dockerfile,
                tag=tag,
                labels={LABEL_STACK: settings.stack, LABEL_APP: work.app},
                target=build.target,
                args=build.args,
                frontend=prepared.frontend,
            )
            work.log.write(f"building {tag} ({work.worker.builder.rung})")
            before = work.worker.engine.find_image(tag)
            work.check()  # nothing that may wait stands between this and the build
            _follow(work, request)
            _forget_other(work, before, tag)
        image = releases.MadeImage(tag, _image(work, tag), dockerfile=prepared.written, commit=prepared.commit)
        return replace(image, procfile=prepared.procfile, built=True)

    def conclude(
        self, work: Work, session: Session, deployment: Deployment, result: releases.MadeImage
    ) -> dict[str, Any]:
        """The image is known: now there is a release, and all that there is to do for it."""
        release = releases.record(work.worker, session, deployment, result)
        job_plan.settle(session, deployment)
        return {"image_id": result.facts.id, "release": release.number, "rung": work.worker.builder.rung}


def _wanted(work: Work) -> tuple[dict[str, Any], Build, str]:
    with work.worker.db.read() as session:
        deployment = work.deployment(session)
        build = releases.effective_config(deployment).build
        return deployment.source, build, releases.image_tag(work.worker, deployment)


def _image(work: Work, tag: str) -> ImageFacts:
    image = work.worker.engine.find_image(tag)
    if image is None:
        raise PlatformError(f"the build ended well, but the engine has no image {tag}", code="image_gone")
    return image


def _forget_other(work: Work, before: ImageFacts | None, tag: str) -> None:
    """What an earlier try of this very build had made, and nothing names any more."""
    if before is not None and before.id != _image(work, tag).id:
        work.worker.engine.forget_image(before.id)


def _follow(work: Work, request: BuildRequest) -> None:
    """Read the news until the build ends; leaving the stream early cancels the build."""
    steps, clipped = _Steps(work), False
    with work.worker.builder.build(request) as news:
        try:
            for item in news:
                clipped = clipped or (isinstance(item, BuildLine) and CLIPPED in item.text)
                if item is not None or clipped:
                    work.heard()
                if work.stopped():
                    break
                steps.take(item)
            else:
                steps.save()
                return
        except AppError:
            steps.save()  # the one that failed, too
            raise
    work.check()


class _Steps:
    """Turns news into rows and log lines; rows are written when they are new or a tenth of a second old."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._seen: dict[str, BuildStepSeen] = {}
        self._dirty: set[str] = set()
        self._saved = 0.0

    def take(self, item: BuildNews | None) -> None:
        """Note one piece of news."""
        if isinstance(item, BuildLine):
            self._work.log.write(item.text)
        elif item is not None:
            self._note(item)
        clock = self._work.worker.clock
        if self._dirty and clock.monotonic() - self._saved > 0.5:
            self.save()

    def _note(self, step: BuildStepSeen) -> None:
        before = self._seen.get(step.key)
        if before is None and step.started_at is not None:
            self._work.log.write(f"step {step.name}")
        if step.cached and not (before and before.cached):
            self._work.log.write(f"     cached: {step.name}")
        if step.started_at is not None:
            self._seen[step.key] = step
            self._dirty.add(step.key)

    def save(self) -> None:
        """Write what changed."""
        self._saved = self._work.worker.clock.monotonic()
        if not self._dirty:
            return
        with self._work.worker.db.write() as session:
            self._work.locked(session)
            rows = {
                row.key: row
                for row in session.scalars(select(BuildStepRow).where(BuildStepRow.job_id == self._work.job_id))
            }
            for key in sorted(self._dirty, key=list(self._seen).index):
                row = rows.get(key) or self._new(session, key, len(rows))
                rows[key] = row
                self._fill(row, self._seen[key])
        self._dirty.clear()

    def _new(self, session: Session, key: str, position: int) -> BuildStepRow:
        row = BuildStepRow(job_id=self._work.job_id, key=key, position=position)
        session.add(row)
        return row

    def _fill(self, row: BuildStepRow, step: BuildStepSeen) -> None:
        clean = self._work.log.clean
        row.name, row.cached, row.error = clean(step.name), step.cached, clean(step.error) if step.error else None
        row.started_at, row.ended_at = step.started_at, step.ended_at
        if step.started_at and step.ended_at and step.ended_at < step.started_at:
            row.ended_at = step.started_at + timedelta(0)
