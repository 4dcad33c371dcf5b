"""What must be true when a deployment has ended, whatever was done to it on the way."""

from dataclasses import dataclass, field

from harness import Prober, until
from rig import Rig
from sqlalchemy import select

from longshore.adapters.router import config
from longshore.domain.names import LABEL_APP, LABEL_STACK
from longshore.domain.plan import plan
from longshore.domain.states import DEPLOYMENT_ENDED, ONE_OFFS, DeploymentState, JobState, ReplicaState
from longshore.models import App, Deployment, Event, Job, Release, Replica

CLEAN_WITHIN = 15.0


@dataclass
class Expected:
    """How a deployment should have ended. ``live`` is the number of the one that serves; by default this one."""

    app: str
    number: int
    replicas: int = 1
    state: str = "succeeded"
    live: int | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def serves(self) -> int:
        """The deployment whose replicas serve."""
        return self.live or self.number


def check(rig: Rig, expected: Expected) -> None:
    """Everything; what sweeps put right may take a moment."""

    def content() -> bool:
        expected.problems = problems(rig, expected)
        return not expected.problems

    try:
        until(content, CLEAN_WITHIN)
    except BaseException as error:
        listed = "\n".join(expected.problems)
        raise AssertionError(f"{expected.app}#{expected.number}:\n{listed}\n{rig.last_words()}") from error


def problems(rig: Rig, expected: Expected) -> list[str]:
    """Everything that is not as it should be, in words."""
    looks = (_ended, _replicas, _containers, _images, _folders, _router, _history)
    return [f"{look.__name__.strip('_')}: {said}" for look in looks for said in look(rig, expected)]


def _ended(rig: Rig, expected: Expected) -> list[str]:
    with rig.rows_of() as session:
        deployment = _deployment(session, expected, expected.number)
        open_ones = session.scalars(
            select(Deployment).where(
                Deployment.app_id == deployment.app_id, Deployment.state.not_in(list(DEPLOYMENT_ENDED))
            )
        ).all()
        jobs = session.scalars(
            select(Job)
            .join(Deployment)
            .where(Deployment.app_id == deployment.app_id, Job.state.in_([JobState.QUEUED, JobState.RUNNING]))
        ).all()
        said = [f"number {one.number} is {one.state}" for one in open_ones] + [
            f"{job.kind} is {job.state}" for job in jobs
        ]
        if deployment.state != expected.state:
            said.append(f"it is {deployment.state}: {deployment.error_code} {deployment.error_message}")
        return said


def _replicas(rig: Rig, expected: Expected) -> list[str]:
    """Rows: the wanted number, healthy, all of the deployment that serves."""
    with rig.rows_of() as session:
        serves = _deployment(session, expected, expected.serves)
        rows = _standing(session, expected)
        said = [
            f"{row.name} is {row.state}"
            for row in rows
            if row.state is not ReplicaState.HEALTHY or row.deployment_id != serves.id
        ]
        return said if len(rows) == expected.replicas else [*said, f"{len(rows)} rows instead of {expected.replicas}"]


def _containers(rig: Rig, expected: Expected) -> list[str]:
    """Containers: those of the rows and no others, running the release's image."""
    labels = [f"{LABEL_STACK}={rig.name}", f"{LABEL_APP}={expected.app}"]
    found = {
        one["Names"][0].strip("/"): one for one in rig.connection.client.containers(all=True, filters={"label": labels})
    }
    with rig.rows_of() as session:
        wanted = {row.name: (row.container_id, row.release.image_id) for row in _standing(session, expected)}
    said = [f"orphan {name}" for name in found.keys() - wanted.keys()]
    said += [f"missing {name}" for name in wanted.keys() - found.keys()]
    for name in found.keys() & wanted.keys():
        seen = (found[name]["Id"], found[name]["ImageID"])
        if found[name]["State"] != "running" or seen != wanted[name]:
            said.append(f"{name} is {found[name]['State']}, {seen} instead of {wanted[name]}")
    return said


def _images(rig: Rig, expected: Expected) -> list[str]:
    """No tag without its release, and nothing without a tag."""
    ours = rig.connection.client.images(filters={"label": f"{LABEL_STACK}={rig.name}"})
    with rig.rows_of() as session:
        known = set(session.scalars(select(Release.image)))
        at_work = set(session.scalars(select(Job.deployment_id).where(Job.state == JobState.RUNNING)))
    tags = {tag for image in ours for tag in image["RepoTags"] or []}
    said = [f"no release is {tag}" for tag in sorted(tags - known)]
    lost = [image["Id"] for image in ours if not image["RepoTags"]]
    return said if at_work else said + [f"dangling {one}" for one in lost]


def _folders(rig: Rig, expected: Expected) -> list[str]:
    return [f"{path} is left" for name in ("builds", "uploads") for path in (rig.home / name).iterdir()]


def _router(rig: Rig, expected: Expected) -> list[str]:
    """Maps and servers say what the rows say."""
    with rig.rows_of() as session:
        apps = session.scalars(select(App).where(App.removed_at.is_(None))).all()
        live = {app.name: app.live_slot for app in apps if app.live_slot}
        hosts = {host: app.name for app in apps for host in app.hosts}
        wanted = {
            (config.backend(row.app.name, row.route_slot), f"g{row.generation}.{row.process}.{row.slot}"): row.address
            for row in session.scalars(select(Replica).where(Replica.state == ReplicaState.HEALTHY))
        }
    servers = {
        (backend, name): server.address
        for backend, servers in rig.runtime.servers().items()
        for name, server in servers.items()
    }
    said = []
    for what, seen, right in (
        ("live.map", rig.runtime.map(f"{config.FOLDER}/{config.LIVE}"), live),
        ("hosts.map", rig.runtime.map(f"{config.FOLDER}/{config.HOSTS}"), hosts),
        ("servers", servers, wanted),
    ):
        if seen != right:
            said.append(f"{what} is {seen}, the rows say {right}")
    return said


def _history(rig: Rig, expected: Expected) -> list[str]:
    """The events: every one, once, in the order of the plan."""
    with rig.rows_of() as session:
        deployment = _deployment(session, expected, expected.number)
        query = select(Event).where(Event.deployment_id == deployment.id).order_by(Event.id)
        events = [(event.kind, event.facts) for event in session.scalars(query)]
        builds = "git" in deployment.source or "upload" in deployment.source
    kinds = [kind for kind, _ in events]
    terminal = [kind for kind in kinds if kind.removeprefix("deployment.") in DEPLOYMENT_ENDED]
    course = [kind for kind in kinds if kind.startswith("deployment.")]
    said = []
    if course != ["deployment.queued", "deployment.running", f"deployment.{expected.state}"] or len(terminal) != 1:
        said.append(f"the deployment went {course}")
    if expected.state == DeploymentState.SUCCEEDED:
        said += _jobs_in_order(events, builds)
        if kinds.count("route.switched") != 1 or kinds.count("replica.healthy") != expected.replicas:
            said.append(f"switched {kinds.count('route.switched')} times, {kinds.count('replica.healthy')} got healthy")
    return said


def _jobs_in_order(events: list[tuple[str, dict]], builds: bool) -> list[str]:
    """Each job: running, perhaps handed back and running again, succeeded once; and not before what it needs."""
    said, done = [], {}
    one_offs = ONE_OFFS & {facts.get("kind") for _, facts in events}
    for job in plan(builds=builds, one_offs=one_offs):
        mine = [
            (at, kind)
            for at, (kind, facts) in enumerate(events)
            if kind.startswith("job.") and facts["kind"] == job.kind
        ]
        course = [kind.removeprefix("job.") for _, kind in mine]
        tries = course.count("running")
        if course != ["running", *["queued", "running"] * (tries - 1), "succeeded"]:
            said.append(f"{job.kind} went {course}")
            continue
        done[job.kind] = mine[-1][0]
        said += [f"{job.kind} began before {need} was done" for need in job.needs if mine[0][0] < done.get(need, 0)]
    return said


def _standing(session, expected: Expected) -> list[Replica]:
    query = select(Replica).join(App, Replica.app_id == App.id)
    return list(session.scalars(query.where(App.name == expected.app, Replica.state != ReplicaState.REMOVED)))


def _deployment(session, expected: Expected, number: int) -> Deployment:
    query = select(Deployment).join(App, Deployment.app_id == App.id)
    return session.scalars(query.where(App.name == expected.app, Deployment.number == number)).one()


def saw_one_switch(prober: Prober, before: str, after: str) -> None:
    """A client that asked all the time: nothing failed, first only the old version, then only the new one."""
    assert prober.failures == []
    bodies = [body for _, body in prober.answers]
    switched = bodies.index(after)
    assert set(bodies[:switched]) <= {before}
    assert set(bodies[switched:]) == {after}


def saw_only(prober: Prober, text: str) -> None:
    """A client that noticed nothing at all."""
    assert prober.failures == []
    assert prober.bodies() == {text}
