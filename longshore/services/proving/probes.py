"""One execution of a health check, of whichever kind."""

from dataclasses import dataclass

from longshore.domain.ports import Answer, Executed
from longshore.domain.specs import HealthCheck
from longshore.services.proving.candidate import Candidate
from longshore.services.work import Work

OUTPUT_SHOWN = 200  # characters of what a failing command said last


@dataclass(frozen=True)
class Seen:
    """What one probe came to. ``refused``: nothing listens there (yet)."""

    healthy: bool
    words: str = "gave no answer"
    refused: bool = False
    status: int | None = None

    @property
    def problem(self) -> str:
        """What was wrong when there was no answer at all."""
        return "" if self.healthy or self.status else self.words


def probe(work: Work, candidate: Candidate, port: int) -> Seen:
    """Ask once. Of a process without a check nothing is asked: that it runs is looked at elsewhere."""
    check = candidate.check
    if check.kind == "running":
        return Seen(True)
    if check.kind == "command":
        work.check()
        return _of_command(work.worker.engine.execute(candidate.name, check.command or [], check.timeout))
    return _of_answer(work.worker.prober.probe(candidate.address, port, check, candidate.host), check)


def accepted(answer: Answer, check: HealthCheck) -> bool:
    """Whether an answer is a healthy one under the check."""
    if answer.status is None:
        return False
    return check.kind == "tcp" or (check.accepts(answer.status) and (check.body or "") in answer.body)


def _of_answer(answer: Answer, check: HealthCheck) -> Seen:
    words = f"answered {answer.status}" if answer.status else answer.problem or "gave no answer"
    return Seen(accepted(answer, check), words, answer.refused(), answer.status)


def _of_command(done: Executed) -> Seen:
    if done.exit_code is None:
        return Seen(False, done.problem)
    last = done.output.splitlines()[-1][:OUTPUT_SHOWN] if done.output else ""
    return Seen(done.exit_code == 0, f"exited with code {done.exit_code}" + (f": {last}" if last else ""))
