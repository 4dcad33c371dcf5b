"""Whether a replica runs, and what to say of one that does not."""

from longshore.domain.ports import Container
from longshore.errors import AppError
from longshore.services.proving.candidate import Candidate
from longshore.services.work import Work

NOT_RUNNABLE = {126: "its command cannot be executed", 127: "its command was not found"}  # as a shell says it


def still_running(work: Work, candidate: Candidate) -> bool:
    """Whether it has run until now. ``AppError`` with the reason when it ended by itself; when the engine was
    restarted and took it along, that is not its fault, and it is started again."""
    return look(work, candidate) is not None


def look(work: Work, candidate: Candidate) -> Container | None:
    """The same; the container when it has run until now."""
    container = work.worker.engine.find(candidate.name)
    if container is not None and container.interrupted:
        work.check()
        work.log.write(f"the container engine was restarted, and {candidate.name} ended with it: starting it again")
        work.worker.engine.resume(candidate.name)
        return None
    if container is None or not container.running:
        raise died(candidate, container)
    return container


def died(candidate: Candidate, container: Container | None) -> AppError:
    """What to say of a replica that does not run any more."""
    name = candidate.name
    if container is None:
        return AppError(f"{name} disappeared while it was checked", code="replica_gone", hint="Somebody removed it.")
    if container.out_of_memory:
        return AppError(
            f"{name} was killed because it used more memory than it may",
            code="out_of_memory",
            hint="Raise resources.memory, or let the app use less.",
        )
    if container.exit_code in NOT_RUNNABLE:
        return AppError(
            f"{name} exited with code {container.exit_code}: {NOT_RUNNABLE[container.exit_code]}",
            code="cannot_start",
            hint="Look at the command, and at CMD and ENTRYPOINT of the image.",
        )
    return AppError(
        f"{name} exited with code {container.exit_code}" + (f" ({container.error})" if container.error else ""),
        code="exited",
        hint=f"A {candidate.process} process must keep running; the log has the last lines it wrote.",
    )
