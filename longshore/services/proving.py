"""Proving one replica from outside its container: probe, watch whether it still runs, explain what went wrong."""

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event

from longshore.domain.ports import Answer, Container, Listener
from longshore.domain.specs import HealthCheck
from longshore.errors import AppError
from longshore.models import Replica
from longshore.services.work import Work

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
FAST_FOR = 5.0  # seconds during which the pause stays short: most apps answer by then
LOOK_FOR_PORT = 0.25  # seconds between two looks at what it listens on
OTHER_PORT_AFTER = 2.0  # seconds of refused connections after which another port is looked for
LAST_LINES = 50
SIDE_BY_SIDE = 16
NOT_RUNNABLE = {126: "its command cannot be executed", 127: "its command was not found"}  # as a shell says it


@dataclass(frozen=True)
class Candidate:
    """A replica to be proven."""

    replica_id: int
    name: str
    address: str
    port: int
    check: HealthCheck
    host: str  # what the replica is asked for
    route: str  # what the router knows the app by

    @classmethod
    def of(cls, replica: Replica, host: str) -> "Candidate":
        """From its row."""
        check = replica.release.declared.health_check
        return cls(replica.id, replica.name, replica.address, replica.port, check, check.host or host, host)


class Proof:
    """One replica's way to healthy: ``port`` may change once, when nothing answers but one other port listens."""

    def __init__(self, work: Work, candidate: Candidate) -> None:
        self._work, self._candidate = work, candidate
        self._clock = work.worker.clock
        self._begin()

    def _begin(self) -> None:
        """From the start, with the whole time it is given."""
        self._began = self._looked = self._clock.monotonic()
        self._healthy_since: float | None = None
        self.port = self._candidate.port
        self.answer = Answer(None)

    def _runs(self) -> bool:
        if still_running(self._work, self._candidate):
            return True
        self._begin()
        return False

    def healthy(self) -> bool:
        """Probe once; whether it has been healthy for long enough."""
        candidate, began = self._candidate, self._clock.monotonic()
        self.answer = self._work.worker.prober.probe(candidate.address, self.port, candidate.check, candidate.host)
        now = self._clock.monotonic()
        self._work.probes.note(candidate.name, self.answer, self._clock.now(), now - began)
        if not accepted(self.answer, candidate.check):
            self._healthy_since = None
            return False
        self._healthy_since = now if self._healthy_since is None else self._healthy_since
        return now - self._healthy_since >= (candidate.check.min_healthy_time or 0) and self._runs()

    def watch(self) -> None:
        """``AppError`` when it died, or when it is over time; look for another port when nothing listens."""
        self._runs()
        now = self._clock.monotonic()
        if now - self._looked >= LOOK_FOR_PORT:
            self._looked = now
            self._try_other_port(now)
        if now - self._began >= self._candidate.check.healthy_deadline:
            raise self._too_late()

    def pause(self) -> float:
        """Short at first, then longer."""
        age = self._clock.monotonic() - self._began
        return FIRST_PAUSE if age < FAST_FOR else min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (age - FAST_FOR))

    def _try_other_port(self, now: float) -> None:
        if not self.answer.refused() or now - self._began < OTHER_PORT_AFTER or self.port != self._candidate.port:
            return
        ports = {one.port for one in self._listeners() if not one.loopback_only}
        if len(ports) == 1 and self.port not in ports:
            self.port = ports.pop()
            self._work.log.write(f"nothing listens on port {self._candidate.port}, but {self.port} does: using that")

    def _listeners(self) -> list[Listener]:
        return self._work.worker.engine.listeners(self._candidate.name)

    def _too_late(self) -> AppError:
        candidate, deadline = self._candidate, self._candidate.check.healthy_deadline
        if self.answer.refused():
            return not_listening(candidate, self._listeners(), deadline)
        what = f"answered {self.answer.status}" if self.answer.status else self.answer.problem or "gave no answer"
        return AppError(
            f"{candidate.name} was not healthy within {deadline:g} s: {_asked(candidate)} {what}",
            code="unhealthy",
            hint=f"Healthy means {_meaning(candidate.check)}; the log has the last lines it wrote.",
        )


class CalledOff(Exception):  # noqa: N818 - the reason is another replica's
    """Another replica has failed already."""


def prove_all(work: Work, candidates: list[Candidate]) -> dict[int, int]:
    """Side by side; the first failure is the answer, with the last lines of every replica in the log."""
    over = Event()
    with ThreadPoolExecutor(min(len(candidates), SIDE_BY_SIDE), thread_name_prefix="prove") as pool:
        outcomes = [pool.submit(prove, work, candidate, over) for candidate in candidates]
        if any(one.exception() for one in wait(outcomes, return_when=FIRST_EXCEPTION).done):
            over.set()  # one is enough: the others need not be waited for
        problem = next(filter(_told, [outcome.exception() for outcome in outcomes]), None)
        if problem is not None:
            keep_output(work, candidates)
            raise problem
        list(pool.map(lambda candidate: _keep(work, candidate, over), candidates))
    return {candidate.replica_id: outcome.result() for candidate, outcome in zip(candidates, outcomes, strict=True)}


def _keep(work: Work, candidate: Candidate, over: Event) -> None:
    """From now on it outlives the engine. One that ended with it between its proof and this is proven again."""
    work.check()
    work.worker.engine.keep_running(candidate.name)
    if not still_running(work, candidate):
        prove(work, candidate, over)


def _told(problem: BaseException | None) -> bool:
    """A real reason, not that the others were called off."""
    return problem is not None and not isinstance(problem, CalledOff)


def prove(work: Work, candidate: Candidate, over: Event) -> int:
    """The port it is healthy on; ``AppError`` when it dies first or is not healthy in time.

    ``over``: another replica has failed, so this one does not matter any more.
    """
    proof = Proof(work, candidate)
    while not proof.healthy():
        if over.is_set():
            raise CalledOff
        if work.stopped():
            work.check()
        proof.watch()
        work.worker.clock.sleep(proof.pause())
    return proof.port


def still_running(work: Work, candidate: Candidate) -> bool:
    """Whether it has run until now. ``AppError`` with the reason when it ended by itself; when the engine was
    restarted and took it along, that is not its fault, and it is started again."""
    container = work.worker.engine.find(candidate.name)
    if container is not None and container.interrupted:
        work.check()
        work.log.write(f"the container engine was restarted, and {candidate.name} ended with it: starting it again")
        work.worker.engine.resume(candidate.name)
        return False
    if container is None or not container.running:
        raise died(candidate.name, container)
    return True


def accepted(answer: Answer, check: HealthCheck) -> bool:
    """Whether an answer is a healthy one under the check."""
    if answer.status is None:
        return False
    return check.kind == "tcp" or (check.accepts(answer.status) and (check.body or "") in answer.body)


def died(name: str, container: Container | None) -> AppError:
    """What to say of a replica that does not run any more."""
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
        hint="A web process must keep running; the log has the last lines it wrote.",
    )


def not_listening(candidate: Candidate, listeners: list[Listener], deadline: float) -> AppError:
    """What to say when nothing listens on the port: which ones do, and whether only for itself."""
    open_ports = sorted({one.port for one in listeners if not one.loopback_only})
    loopback = sorted({one.port for one in listeners if one.loopback_only})
    if candidate.port in loopback:
        said = f"it listens on port {candidate.port}, but on loopback only"
        hint = "Let the app listen on 0.0.0.0, not on 127.0.0.1 or localhost."
    elif open_ports:
        said = f"it listens on {_listed(open_ports)}"
        hint = f"Set port to one of these, or let the app listen on $PORT ({candidate.port})."
    elif loopback:
        said = f"it listens on {_listed(loopback)}, on loopback only"
        hint = f"Let the app listen on 0.0.0.0 and on $PORT ({candidate.port})."
    else:
        said, hint = "it listens on no port at all", f"Let the app listen on 0.0.0.0 and on $PORT ({candidate.port})."
    return AppError(
        f"nothing answered on port {candidate.port} of {candidate.name} within {deadline:g} s; {said}",
        code="not_listening",
        hint=hint,
    )


def keep_output(work: Work, candidates: list[Candidate]) -> None:
    """The last lines of each replica go into the deployment's log: the container will be gone soon."""
    for candidate in candidates:
        lines = work.worker.engine.output(candidate.name, LAST_LINES)
        work.log.write(f"the last lines of {candidate.name}:" if lines else f"{candidate.name} wrote nothing")
        for line in lines:
            work.log.write(f"    {line}")


def _listed(ports: list[int]) -> str:
    return f"port {ports[0]}" if len(ports) == 1 else f"ports {', '.join(map(str, ports))}"


def _asked(candidate: Candidate) -> str:
    check = candidate.check
    return f"GET {check.path}" if check.kind == "http" else f"TCP port {candidate.port}"


def _meaning(check: HealthCheck) -> str:
    if check.kind == "tcp":
        return "that a connection is accepted"
    body = f" with {check.body!r} in the body" if check.body else ""
    return f"a status of {check.wanted}{body}"
