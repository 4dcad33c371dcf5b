"""The stack's containers as a whole: stopped on purpose, and what goes off line with that."""

from concurrent.futures import ThreadPoolExecutor

from longshore.domain.names import LABEL_APP, LABEL_PART, LABEL_STACK
from longshore.domain.ports import Container
from longshore.services.context import WorkerServices

SIDE_BY_SIDE = 16


def stop(worker: WorkerServices, *, keep_apps: bool) -> list[str]:
    """Stop the stack's containers, side by side; the apps that are off line now. Nothing is removed."""
    worker.parts.refuse_others()
    ours = [one for one in worker.engine.containers({LABEL_STACK: worker.settings.stack}) if one.running]
    wanted = [one for one in ours if not (keep_apps and _serves(one))]
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="stop") as pool:
        list(pool.map(lambda one: worker.engine.stop(one.name, worker.settings.stop_grace), wanted))
    return sorted({one.labels[LABEL_APP] for one in wanted if LABEL_APP in one.labels})


def _serves(container: Container) -> bool:
    return LABEL_APP in container.labels or container.labels.get(LABEL_PART) == "router"
