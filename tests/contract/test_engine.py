"""One contract for the fake engine and the real one."""

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from longshore.domain.names import container_labels, container_name, volume_labels, volume_name
from longshore.domain.ports import ContainerSpec, EngineVolume, Executed, Listener
from longshore.domain.specs import Resources
from longshore.errors import AppError, PartDownError, PlatformError, TransientError
from longshore.testing import Behaviour, FakeEngine

IMAGE = "python:3.13-slim"
SERVE = ["python", "-m", "http.server", "{port}", "--bind", "{bind}"]
PATIENCE = 15.0


class Subject:
    """An engine, and how to make containers of a behaviour on it."""

    def __init__(self, engine: Any, stack: str, image_of: Callable[[Behaviour], tuple[str, list[str] | None]]) -> None:
        self.engine, self.stack, self._image_of = engine, stack, image_of
        self._count = 2

    def spec(self, behaviour: Behaviour | None = None, **changes: Any) -> ContainerSpec:
        self._count += 1
        network = self.engine.network()
        image, command = self._image_of(behaviour or Behaviour(port=8000))
        prefix = network.subnet.rpartition(".")[0]
        given = ContainerSpec(
            name=container_name(self.stack, "hello", self._count, "web", 1),
            image_id=image,
            labels=container_labels(self.stack, "hello", 1, self._count, "web", 1),
            network=network.name,
            address=f"{prefix}.{self._count}",
            command=command,
        )
        return replace(given, **changes)

    def name(self, *references: str) -> str:
        """Give one image several names; its id."""
        if isinstance(self.engine, FakeEngine):
            image = self.engine.add_image(references[0])
            self.engine.images.update(dict.fromkeys(references[1:], self.engine.images[image]))
            return image
        for reference in references:
            self.engine._connection.client.tag(IMAGE, *reference.rsplit(":", 1))
        return self.engine.find_image(IMAGE).id

    def until(self, condition: Callable[[], Any]) -> Any:
        """Real containers take a moment."""
        end = time.monotonic() + PATIENCE
        while not (found := condition()) and time.monotonic() < end:
            time.sleep(0.05)
        return found


def fake_subject() -> Subject:
    engine = FakeEngine(stack="fake")

    def image_of(behaviour: Behaviour) -> tuple[str, None]:
        return engine.add_image(f"made:{len(engine.images)}", behaviour), None

    return Subject(engine, "fake", image_of)


def real_command(behaviour: Behaviour) -> list[str]:
    if behaviour.cannot_start:
        return ["/no/such/program"]
    if behaviour.exit_code is not None or behaviour.port is None:
        lines = "; ".join(f"print({line!r}, flush=True)" for line in behaviour.output) or "pass"
        end = f"sys.exit({behaviour.exit_code})" if behaviour.exit_code is not None else "time.sleep(600)"
        return ["python", "-c", f"import sys, time; {lines}; {end}"]
    bind = "127.0.0.1" if behaviour.loopback_only else "0.0.0.0"
    return [part.format(port=behaviour.port, bind=bind) for part in SERVE]


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param == "fake":
        return fake_subject()
    yard = request.getfixturevalue("yard")
    yard.subject = getattr(yard, "subject", None) or Subject(
        yard.engine, yard.stack, lambda behaviour: (yard.engine.find_image(IMAGE).id, real_command(behaviour))
    )
    return yard.subject


def test_a_container_started_is_a_container_listed(subject):
    spec = subject.spec()
    started = subject.engine.start(spec)
    assert (started.name, started.running, started.address) == (spec.name, True, spec.address)
    assert started.labels.items() >= spec.labels.items()
    assert started.name in [one.name for one in subject.engine.containers(spec.labels)]
    assert subject.engine.find(spec.name).id == started.id


def test_containers_are_found_by_all_their_labels(subject):
    one, two = subject.spec(), subject.spec()
    subject.engine.start(one)
    subject.engine.start(two)
    ours = [c.name for c in subject.engine.containers({"longshore.stack": subject.stack})]
    assert ours.index(one.name) < ours.index(two.name)
    assert [c.name for c in subject.engine.containers(two.labels)] == [two.name]


def test_a_second_start_adopts_what_is_there(subject):
    spec = subject.spec()
    first = subject.engine.start(spec)
    assert subject.engine.start(spec).id == first.id


def test_a_start_of_a_stopped_one_starts_it_again(subject):
    spec = subject.spec()
    first = subject.engine.start(spec)
    subject.engine.stop(spec.name, 1)
    again = subject.engine.start(spec)
    assert (again.id, again.running) == (first.id, True)


def test_a_name_with_other_labels_is_left_alone(subject):
    spec = subject.spec()
    first = subject.engine.start(spec)
    with pytest.raises(PlatformError) as caught:
        subject.engine.start(replace(spec, labels={**spec.labels, "longshore.generation": "999"}))
    assert caught.value.code == "name_taken"
    assert subject.engine.find(spec.name) == first


def test_an_image_that_is_gone_is_a_passing_fault(subject):
    with pytest.raises(TransientError) as caught:
        subject.engine.start(subject.spec(image_id="sha256:" + "0" * 64))
    assert caught.value.code == "image_gone"


def outcome(subject: Subject, spec: ContainerSpec) -> str | int:
    """Why it could not be started, or the code it ended with."""
    try:
        subject.engine.start(spec)
    except AppError as error:
        return error.code
    ended = subject.until(lambda: (c := subject.engine.find(spec.name)) and not c.running and c)
    return ended.exit_code


def test_a_program_that_is_not_there_cannot_be_started_or_ends_at_once(subject):
    spec = subject.spec(Behaviour(cannot_start="no such file or directory"))
    assert outcome(subject, spec) in ("cannot_start", 127)  # 127: the init process found no program


def test_one_that_exits_tells_its_code_and_its_last_words(subject):
    spec = subject.spec(Behaviour(exit_code=3, output=("one", "two", "three")))
    subject.engine.start(spec)
    ended = subject.until(lambda: (c := subject.engine.find(spec.name)) and not c.running and c)
    assert (ended.exit_code, ended.out_of_memory, ended.address) == (3, False, None)
    assert subject.engine.output(spec.name, 2) == ["two", "three"]


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Behaviour(port=8000), [Listener(8000, False)]),
        (Behaviour(port=9000, loopback_only=True), [Listener(9000, True)]),
        (Behaviour(port=None), []),
    ],
    ids=["open", "loopback", "none"],
)
def test_what_listens_is_seen(subject, behaviour, expected):
    spec = subject.spec(behaviour)
    subject.engine.start(spec)
    assert subject.until(lambda: subject.engine.listeners(spec.name)) == expected if expected else True
    assert subject.engine.listeners(spec.name) == expected


SAYS = ("python", "-c", "print('fine')")
FAILS = ("python", "-c", "import sys; print('no queue', file=sys.stderr); sys.exit(3)")
MISSING = ("/no/such/program",)
ABLE = Behaviour(port=8000, commands={SAYS: Executed(0, "fine"), FAILS: Executed(3, "no queue")})


def test_a_command_is_run_inside_and_tells_its_code_and_output(subject):
    spec = subject.spec(ABLE)
    subject.engine.start(spec)
    assert subject.engine.execute(spec.name, SAYS, 30) == Executed(0, "fine")
    assert subject.engine.execute(spec.name, FAILS, 30) == Executed(3, "no queue")


def test_a_command_that_is_not_there_has_the_code_of_a_shell(subject):
    spec = subject.spec(ABLE)
    subject.engine.start(spec)
    done = subject.engine.execute(spec.name, MISSING, 30)
    assert done.exit_code in (126, 127)
    assert MISSING[0] in done.output


def test_nothing_is_run_in_a_container_that_does_not_run_or_is_not_there(subject):
    spec = subject.spec(ABLE)
    subject.engine.start(spec)
    subject.engine.stop(spec.name, 1)
    for name in (spec.name, "nobody"):
        done = subject.engine.execute(name, SAYS, 30)
        assert (done.exit_code, done.problem) == (None, "its container does not run")


def test_one_that_is_stopped_stays_listed_and_can_be_resumed(subject):
    spec = subject.spec()
    subject.engine.start(spec)
    subject.engine.keep_running(spec.name)
    subject.engine.stop(spec.name, 1)
    assert not subject.engine.find(spec.name).running
    subject.engine.resume(spec.name)
    assert (subject.engine.find(spec.name).running, subject.engine.find(spec.name).address) == (True, spec.address)


def test_one_that_is_removed_is_gone_running_or_not(subject):
    running, stopped = subject.spec(), subject.spec()
    for spec in (running, stopped):
        subject.engine.start(spec)
    subject.engine.stop(stopped.name, 1)
    for spec in (running, stopped):
        subject.engine.remove(spec.name)
        assert subject.engine.find(spec.name) is None


def test_a_forgotten_tag_is_gone_and_the_image_stays_while_another_tag_or_a_container_holds_it(subject):
    two = [f"127.0.0.1:9/{subject.stack}/forgotten:{number}" for number in (1, 2)]
    image = subject.name(*two)
    subject.engine.forget_image(image)
    assert subject.engine.find_image(two[0]).id == image
    subject.engine.forget_image(two[0])
    assert subject.engine.find_image(two[0]) is None
    assert subject.engine.find_image(two[1]).id == image
    subject.engine.forget_image(two[1])
    assert subject.engine.find_image(two[1]) is None
    for nothing in (two[0], f"sha256:{'0' * 64}"):
        subject.engine.forget_image(nothing)


def test_the_images_on_the_host_are_known_by_their_ids(subject):
    name = f"127.0.0.1:9/{subject.stack}/listed:1"
    image = subject.name(name)
    assert image in subject.engine.image_ids()
    assert f"sha256:{'0' * 64}" not in subject.engine.image_ids()
    subject.engine.forget_image(name)


def test_nobody_minds_what_is_not_there(subject):
    subject.engine.stop("nobody", 1)
    subject.engine.remove("nobody")
    assert subject.engine.find("nobody") is None
    assert subject.engine.output("nobody", 5) == []
    assert subject.engine.find_image("nobody:1") is None


def test_an_address_in_use_is_a_passing_fault(subject):
    spec = subject.spec()
    subject.engine.start(spec)
    with pytest.raises(TransientError) as caught:
        subject.engine.start(subject.spec(address=spec.address))
    assert caught.value.code in ("cannot_start", "engine_error")


def test_the_network_is_made_once_and_keeps_the_hosts_address_back(subject):
    network = subject.engine.network()
    assert network == subject.engine.network()
    assert len(network.reserved) == 1


def test_an_image_nobody_has_cannot_be_pulled(subject):
    with pytest.raises((AppError, TransientError)):
        subject.engine.pull("127.0.0.1:9/nothing:1", lambda _: None, lambda: False)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the SDK forgets the socket that did not connect
def test_an_engine_that_is_away_is_a_part_that_is_down(tmp_path):
    from longshore.adapters.engine import Connection, DockerEngine
    from longshore.adapters.engine.images import Credentials
    from longshore.adapters.engine.network import StackNetwork

    nobody = Connection(f"unix://{tmp_path}/none.sock")
    real, fake = DockerEngine(nobody, StackNetwork(nobody, "t", "/"), Credentials()), FakeEngine()
    fake.down = True
    for engine in (real, fake):
        with pytest.raises(PartDownError) as caught:
            engine.find("x")
        assert caught.value.part == "engine"
    del real, engine, caught, nobody
    gc.collect()


def test_a_real_container_is_hardened_and_limited(yard):
    subject = Subject(yard.engine, yard.stack, lambda b: (yard.engine.find_image(IMAGE).id, real_command(b)))
    subject._count = 200
    spec = subject.spec(resources=Resources(memory="64m", cpus=0.5, pids=50), capabilities="none", read_only=True)
    yard.engine.start(spec)
    host = yard.connection.client.inspect_container(spec.name)["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 * 1024**2, 500_000_000, 50)
    assert (host["CapDrop"], host["ReadonlyRootfs"], host["Init"]) == (["ALL"], True, True)
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["RestartPolicy"]["Name"] == "no"


def test_a_real_command_that_takes_too_long_is_killed_and_of_much_output_the_end_is_kept(yard):
    subject = Subject(yard.engine, yard.stack, lambda b: (yard.engine.find_image(IMAGE).id, real_command(b)))
    subject._count = 210
    spec = subject.spec(Behaviour(port=None))
    yard.engine.start(spec)
    done = yard.engine.execute(spec.name, ["python", "-c", "import time; print('on', flush=True); time.sleep(99)"], 1.5)
    assert (done.exit_code, done.problem) == (None, "was not over within 1.5 s")
    top = lambda: yard.connection.client.top(spec.name)["Processes"]  # noqa: E731
    assert subject.until(lambda: not any("sleep(99)" in " ".join(row) for row in top()))
    much = yard.engine.execute(spec.name, ["python", "-c", "print('x' * 300_000); print('the end')"], 30)
    assert much.exit_code == 0
    assert len(much.output) < 5000
    assert much.output.endswith("the end")


def volume_of(subject: Subject, name: str) -> EngineVolume:
    labels = volume_labels(subject.stack, "hello", name)
    return EngineVolume(volume_name(subject.stack, "hello", name), labels)


def test_a_volume_is_made_once_and_found_by_its_labels(subject):
    volume = volume_of(subject, "once")
    subject.engine.ensure_volume(volume)
    subject.engine.ensure_volume(volume)
    assert subject.engine.volumes(volume.labels) == [volume]
    assert volume in subject.engine.volumes({"longshore.stack": subject.stack})
    subject.engine.remove_volume(volume)
    subject.engine.remove_volume(volume)
    assert subject.engine.volumes(volume.labels) == []


def test_a_volume_with_other_labels_is_left_alone(subject):
    volume = volume_of(subject, "foreign")
    subject.engine.ensure_volume(volume)
    claimed = replace(volume, labels={**volume.labels, "longshore.app": "other"})
    for action in (subject.engine.ensure_volume, subject.engine.remove_volume):
        with pytest.raises(PlatformError) as caught:
            action(claimed)
        assert caught.value.code == "name_taken"
    assert subject.engine.volumes(volume.labels) == [volume]


def test_a_volume_outlives_its_containers_and_is_not_removed_while_one_has_it(subject):
    volume = volume_of(subject, "kept")
    subject.engine.ensure_volume(volume)
    spec = subject.spec(Behaviour(port=None), volumes={"/data": volume})
    subject.engine.start(spec)
    with pytest.raises(TransientError) as caught:
        subject.engine.remove_volume(volume)
    assert caught.value.code == "volume_in_use"
    subject.engine.remove(spec.name)
    assert subject.engine.volumes(volume.labels) == [volume]
    subject.engine.remove_volume(volume)


def test_a_volume_that_is_missing_at_the_start_is_made_with_its_labels(subject):
    volume = volume_of(subject, "late")
    subject.engine.start(subject.spec(Behaviour(port=None), volumes={"/data": volume}))
    assert subject.engine.volumes(volume.labels) == [volume]
