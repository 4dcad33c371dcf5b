"""Requests, claims, ends, deaths, lost and doubled messages in any order: what must hold, holds at every moment."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from longshore.domain.states import DEPLOYMENT_ENDED, JOB_ENDED, DeploymentState, JobState, ReplicaState, Trigger
from longshore.errors import AppError, ConflictError, NotFoundError, PartDownError, TransientError
from longshore.models import App, Deployment, Job, Release, Replica
from longshore.services import deployments, jobs, rollbacks, sweeps
from longshore.services.asked import NewDeployment
from longshore.services.context import WorkerServices
from longshore.services.rollbacks import NewRollback
from longshore.services.work import Work
from longshore.testing import Behaviour

APPS = ("ant", "bee")
ERRORS = (
    AppError("the app is broken"),
    TransientError("the registry answered 503"),
    PartDownError("registry", "the registry does not answer"),
)
EXAMPLES = int(os.environ.get("LONGSHORE_TEST_EXAMPLES", "30"))
ENOUGH = 300.0  # seconds of fake time in which everything that was accepted must end
anyone = st.integers(0, 1)
any_app = st.sampled_from(APPS)
any_number = st.integers(0, 30)
GIT = "https://example.com/shop.git"
REQUESTS = ("source", "source", "image", "broken", "change", "rule", "roll back", "cancel")


@dataclass
class Held:
    """A claim whose end is still to come."""

    worker: WorkerServices
    work: Work


class AnyOrder(RuleBasedStateMachine):
    """One stack over fakes, two workers at a time, and whoever does things to them."""

    another_stack = None  # set by the test: a new stack at every call

    @initialize(every=st.booleans())
    def begin(self, every: bool) -> None:
        """Two apps, one of which may want all its deployments."""
        self.stack = type(self).another_stack()
        self.born = 0
        self.workers = [self._new_worker(), self._new_worker()]
        self.held: list[Held] = []
        self.ended: dict[tuple[str, int], object] = {}
        self.releases: dict[int, tuple] = {}
        self.generations: dict[str, int] = {}
        self.stack.engine.publish("shop:1")
        self.meanwhile: list[Callable[[], None]] = []
        self.at_work: Held | None = None
        self._interrupt_calls()
        for name in APPS:
            self.stack.create(name)
            self.ask(name, "source", 1)
            self.work(0, 5)
        if every:
            with self.stack.db.write() as session:
                session.scalars(select(App).where(App.name == APPS[0])).one().queue = "all"

    def _interrupt_calls(self) -> None:
        """Every call that changes the world outside is a moment at which something else may happen."""
        stack = self.stack
        stack.builder.meanwhile = self._a_moment
        for part, names in (
            (stack.engine, ("start", "push", "pull", "stop", "remove", "keep_running")),
            (stack.router, ("apply", "probe")),
            (stack.prober, ("probe",)),
        ):
            for name in names:
                setattr(part, name, self._interrupted(getattr(part, name)))

    def _interrupted(self, call: Callable) -> Callable:
        def interrupted(*given: object) -> object:
            self._a_moment()
            answer = call(*given)
            self._a_moment()
            return answer

        return interrupted

    def _a_moment(self) -> None:
        """In the middle of a step, sometimes."""
        if self.meanwhile and self.at_work is not None:
            self.meanwhile.pop()()

    def _new_worker(self) -> WorkerServices:
        self.born += 1
        worker = self.stack.another_worker(f"born-{self.born}")
        sweeps.arrive(worker)
        self.stack.clock.ticks.append(worker.lease.renewed)
        return worker

    # What people and rules ask for

    @rule(app=any_app, what=st.sampled_from(REQUESTS), value=st.integers(1, 3))
    def ask(self, app: str, what: str, value: int) -> None:
        """Whatever is refused is refused, and changes nothing."""
        self.stack.builder.behaviour = Behaviour(exit_code=1) if what == "broken" else Behaviour()
        with suppress(ConflictError, NotFoundError):
            if what == "roll back":
                rollbacks.roll_back(self.stack.services, app, NewRollback(Trigger.API, "x"))
            elif what == "cancel":
                self.stack.cancel(self._made(app) - value + 1, app)
            elif what in ("change", "rule"):
                self._deploy(app, {"current": True}, what, env={"A": str(value)}, config={"replicas": value})
            else:
                self._deploy(app, {"image": "shop:1"} if what == "image" else {"git": {"url": GIT}}, what)

    def _deploy(self, app: str, source: dict, what: str, **facts: object) -> None:
        trigger = Trigger.AUTO if what == "rule" else Trigger.API
        deployments.create(self.stack.services, app, NewDeployment(source, trigger, "x", **facts))

    def _made(self, app: str) -> int:
        with self.stack.db.read() as session:
            return session.scalars(select(App).where(App.name == app)).one().deployments_made

    # What workers do

    @rule(who=anyone, which=any_number)
    def take(self, who: int, which: int) -> None:
        messages = [one for one in self.stack.queue.messages if one.argument]
        if messages:
            message = messages[which % len(messages)]
            self.stack.queue.messages.remove(message)
            work = jobs.claim(self.workers[who], int(message.argument))
            if work is not None:
                self.held.append(Held(self.workers[who], work))

    @rule(which=any_number)
    def go_on(self, which: int) -> None:
        """Also for a worker that is dead, or lost its job: it comes back as if nothing had happened."""
        if self.held:
            self._work_on(self.held.pop(which % len(self.held)))

    @rule(who=anyone, jobs_done=st.integers(1, 8))
    def work(self, who: int, jobs_done: int) -> None:
        """One after the other, as a worker left in peace does."""
        for _ in range(jobs_done):
            self.take(who, 0)
            self.go_on(-1)

    def _work_on(self, held: Held) -> None:
        self.at_work = held
        jobs._do(held.work)
        held.worker.shift.go(held.work.place)
        self.at_work = None
        if held.worker in self.workers and held.worker.shift.ending:
            self._leave(self.workers.index(held.worker))

    @rule(calls=st.integers(0, 6), what=st.sampled_from(["die", "leave", "cancel", "roll back"]))
    def in_the_middle(self, calls: int, what: str) -> None:
        """Something happens while the next step is at work, after so many calls of it."""
        happens = {
            "die": self._die_at_work,
            "leave": lambda: self.at_work.worker.shift.end(),
            "cancel": lambda: self.ask(self.at_work.work.app, "cancel", 1),
            "roll back": lambda: self.ask(self.at_work.work.app, "roll back", 1),
        }
        self.meanwhile = [happens[what], *([lambda: None] * calls)]

    def _die_at_work(self) -> None:
        """The others hold it for dead, and take its jobs; it does not know, and goes on."""
        owner = self.at_work.worker
        if owner in self.workers:
            self._replace(self.workers.index(owner))
        self._sweep(self.workers[0])

    @rule(spoilt=st.booleans())
    def the_way_through_the_router(self, spoilt: bool) -> None:
        """Healthy by itself, and not through the router: a failure after the switch."""
        self.stack.router.spoils = (lambda answer: replace(answer, status=502)) if spoilt else (lambda answer: answer)

    @rule(which=any_number, error=st.sampled_from(ERRORS))
    def fail(self, which: int, error: Exception) -> None:
        if self.held:
            held = self.held.pop(which % len(self.held))
            jobs._fail(held.work, type(error)(*error.args) if not isinstance(error, PartDownError) else error)
            held.worker.shift.go(held.work.place)

    @rule(who=anyone, what=st.sampled_from(["die", "leave", "lose messages", "double messages"]))
    def mishap(self, who: int, what: str) -> None:
        """One that a stack must take in its stride."""
        once = list(dict.fromkeys(self.stack.queue.messages))
        if what == "die":
            self._replace(who)
        elif what == "leave":
            self._leave(who)
        else:
            self.stack.queue.messages[:] = [] if what == "lose messages" else [*reversed(once), *once]

    def _replace(self, who: int) -> None:
        """SIGKILL; the supervisor starts another one. What it held may still come back from the dead."""
        dead, lease = self.workers[who], self.workers[who].lease
        self.stack.clock.ticks.remove(lease.renewed)
        self.stack.locks.kill(dead.lease.worker_id)
        self.workers[who] = self._new_worker()

    def _leave(self, who: int) -> None:
        """SIGTERM."""
        leaving = self.workers[who]
        leaving.shift.end()
        for held in [one for one in self.held if one.worker is leaving]:
            self.held.remove(held)
            jobs._stop(held.work)
            leaving.shift.go(held.work.place)
        sweeps.leave(leaving)
        self.stack.clock.ticks.remove(leaving.lease.renewed)
        self.workers[who] = self._new_worker()

    # Time

    @rule(seconds=st.sampled_from([0.5, 3.0, 20.0]), who=anyone)
    def time_passes(self, seconds: float, who: int) -> None:
        self.stack.clock.sleep(seconds)
        for worker in self.workers:
            sweeps.beat(worker)
        self._sweep(self.workers[who])

    def _sweep(self, worker: WorkerServices) -> None:
        for sweep in (sweeps.reap, sweeps.enforce_deadlines, sweeps.dispatch, sweeps.clean, sweeps.reconcile):
            sweep(worker)

    # What must hold

    @invariant()
    def one_runs_at_a_time(self) -> None:
        with self.stack.db.read() as session:
            running = session.scalars(
                select(Deployment.app_id).where(Deployment.state == DeploymentState.RUNNING)
            ).all()
        assert len(running) == len(set(running))

    @invariant()
    def what_has_ended_stays_as_it_is(self) -> None:
        with self.stack.db.read() as session:
            now = {
                (kind.__tablename__, row.id): row.state
                for kind, over in ((Deployment, DEPLOYMENT_ENDED), (Job, JOB_ENDED))
                for row in session.scalars(select(kind).where(kind.state.in_(list(over))))
            }
        assert self.ended.items() <= now.items()
        self.ended = now

    @invariant()
    def releases_never_change(self) -> None:
        with self.stack.db.read() as session:
            now = {
                row.id: (row.app_id, row.number, row.image_id, str(row.config))
                for row in session.scalars(select(Release))
            }
        assert self.releases.items() <= now.items()
        self.releases = now

    @invariant()
    def generations_only_grow(self) -> None:
        with self.stack.db.read() as session:
            now = {app.name: app.generation for app in session.scalars(select(App))}
        assert all(now[name] >= before for name, before in self.generations.items())
        self.generations = now

    @invariant()
    def what_is_live_stands(self) -> None:
        """From the first success on an app is never without a container that the router leads to."""
        with self.stack.db.read() as session:
            live = session.scalars(
                select(Replica.name)
                .join(App, App.id == Replica.app_id)
                .where(Replica.state == ReplicaState.HEALTHY, Replica.route_slot == App.live_slot)
            ).all()
            served = session.scalars(select(App.id).where(App.live_slot.is_not(None))).all()
        standing = {one.name for one in self.stack.engine.standing.values() if one.running}
        assert set(live) <= standing
        assert len(live) >= len(served)

    def teardown(self) -> None:
        """Whatever happened: everything that was accepted ends, and what stands is what is live."""
        self.stack.builder.behaviour = Behaviour()
        self.stack.router.spoils, self.meanwhile = (lambda answer: answer), []
        while self.held:  # these are late, too
            self._work_on(self.held.pop())
        until = self.stack.clock.monotonic() + ENOUGH
        while self._unfinished():
            assert self.stack.clock.monotonic() < until, self._told()
            self.time_passes(3.0, 0)
            self.stack.drive(self.workers[0])
        self.time_passes(20.0, 1)
        self._only_what_is_live_stands()

    def _told(self) -> str:
        views = [self.stack.show(number, app) for app, number in self._unfinished()]
        return "\n".join(
            f"{view.id} {view.state} {view.error} {view.cancel} why: {view.why}; "
            + ", ".join(f"{job.kind} {job.state} {job.attempt}" for job in view.jobs)
            for view in views
        )

    def _unfinished(self) -> list[tuple[str, int]]:
        with self.stack.db.read() as session:
            open_jobs = select(Job.deployment_id).where(Job.state.in_([JobState.QUEUED, JobState.RUNNING]))
            rows = session.scalars(
                select(Deployment).where(Deployment.state.not_in(list(DEPLOYMENT_ENDED)) | Deployment.id.in_(open_jobs))
            )
            return [(row.app.name, row.number) for row in rows]

    def _only_what_is_live_stands(self) -> None:
        with self.stack.db.read() as session:
            apps = session.scalars(select(App)).all()
            rows = session.scalars(select(Replica).where(Replica.state != ReplicaState.REMOVED)).all()
            wanted = {app.name: app.release.declared.replicas for app in apps if app.release}
            slots = {app.id: app.live_slot for app in apps}
        assert {row.state for row in rows} <= {ReplicaState.HEALTHY}
        assert all(row.route_slot == slots[row.app_id] for row in rows)
        names = [row.name for row in rows]
        assert sorted(names) == sorted(self.stack.engine.standing)
        counts = {name: sum(f".{name}." in one for one in names) for name in wanted}
        assert counts == wanted


@pytest.mark.timeout(3600)
def test_whatever_happens_in_whatever_order(another_stack) -> None:
    class Rules(AnyOrder):
        pass

    Rules.another_stack = staticmethod(another_stack)
    run_state_machine_as_test(
        Rules,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            phases=(Phase.generate,),  # the steps to the failure are worth more than a shorter way after minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
