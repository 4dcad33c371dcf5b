"""A container engine that remembers: a container started is a container listed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from longshore.domain.image_reference import ImageReference
from longshore.domain.ports import (
    Container,
    ContainerSpec,
    Ending,
    EngineFacts,
    Executed,
    ImageFacts,
    Listener,
    Network,
    OnLine,
    Stopped,
)
from longshore.errors import AppError, PartDownError, PlatformError, TransientError
from longshore.testing.behaviour import Behaviour
from longshore.testing.registry import FakeRegistry
from longshore.testing.volumes import FakeVolumes


@dataclass(frozen=True)
class FakeImage:
    """An image, and how its containers behave."""

    facts: ImageFacts
    behaviour: Behaviour


class FakeEngine(FakeVolumes):
    """Images, containers and one network in dicts. ``down``: it does not answer; ``calls`` is what it was told."""

    def __init__(self, registry: FakeRegistry | None = None, stack: str = "longshore") -> None:
        super().__init__()
        self.registry = registry or FakeRegistry()
        self.images: dict[str, FakeImage] = {}  # by id and by reference
        self.hub: dict[str, FakeImage] = {}  # what can be pulled
        self.built: list[str] = []
        self.ran: list[ContainerSpec] = []  # commands that ran once, in order
        self.kept: set[str] = set()  # those the engine restarts
        self.graces: dict[str, float] = {}  # how long a stopped one was given
        self.down = False
        self._network = Network(f"{stack}.net", "10.64.0.0/24", ("10.64.0.1",))
        self.waited: Callable[[], None] = lambda: time.sleep(0.01)  # while a command goes on that has no end

    # What a test arranges

    def add_image(self, reference: str, behaviour: Behaviour | None = None, ports: tuple[int, ...] = ()) -> str:
        """Put an image on the host; its id."""
        image = _image(reference, f"{len(self.images)}", behaviour or Behaviour(), ports)
        self.images[str(ImageReference.parse(reference))] = self.images[image.facts.id] = image
        return image.facts.id

    def publish(self, reference: str, behaviour: Behaviour | None = None, ports: tuple[int, ...] = ()) -> str:
        """Put an image where it can be pulled from; its id."""
        image = _image(reference, f"hub{len(self.hub)}", behaviour or Behaviour(), ports)
        self.hub[str(ImageReference.parse(reference))] = image
        return image.facts.id

    def build(self, tag: str, behaviour: Behaviour, ports: tuple[int, ...]) -> None:
        """What a build that ended well leaves."""
        self.add_image(tag, behaviour, ports)
        self.built.append(tag)

    def occupy(self, name: str) -> None:
        """Somebody else's container stands under this name."""
        self.standing[name] = _foreign(name)

    def die(self, name: str, exit_code: int = 1) -> None:
        """A container ends by itself."""
        self.standing[name] = replace(self.standing[name], running=False, address=None, exit_code=exit_code)

    def restart(self) -> None:
        """The engine itself ends and starts: it starts again what it was told to keep running."""
        for name, one in self.standing.items():
            if one.running and name not in self.kept:
                self.standing[name] = replace(one, running=False, address=None, exit_code=143, interrupted=True)

    def at(self, address: str) -> Behaviour | None:
        """How whoever runs at an address behaves."""
        for one in list(self.standing.values()):
            if one.running and one.address == address:
                return self.images[one.image_id].behaviour
        return None

    def ping(self) -> None:
        """Raise ``PartDownError`` while it is down."""
        if self.down:
            raise PartDownError("engine", "the container engine does not answer")

    # The port

    def facts(self) -> EngineFacts:
        """What it says of itself."""
        self.ping()
        return EngineFacts("fake", "dict", local=False, root=Path("/nowhere"))

    def network(self) -> Network:
        """The stack's network."""
        self.ping()
        return self._network

    def find_image(self, reference: str) -> ImageFacts | None:
        """An image on the host, by id or reference."""
        self.ping()
        key = reference if reference.startswith("sha256:") else str(ImageReference.parse(reference))
        image = self.images.get(key)
        return image.facts if image else None

    def image_ids(self) -> frozenset[str]:
        """The ids of all images on the host."""
        self.ping()
        return frozenset(image.facts.id for image in self.images.values())

    def pull(self, reference: str, on_line: OnLine, stopped: Stopped) -> ImageFacts:
        """From the hub."""
        self.ping()
        self.calls.append(("pull", reference))
        key = str(ImageReference.parse(reference))
        if stopped():
            raise TransientError(f"{key} was not pulled to the end", code="pull_incomplete")
        if key not in self.hub:
            raise AppError(f"the image {key} cannot be pulled: not found", code="image_not_found")
        on_line("Pull complete")
        image = self.hub[key]
        self.images[key] = self.images[image.facts.id] = image
        return image.facts

    def push(self, image_id: str, reference: str, on_line: OnLine, stopped: Stopped) -> str:
        """Into the fake registry."""
        self.ping()
        self.calls.append(("push", reference))
        if image_id not in self.images:
            raise PlatformError(f"the engine has no image {image_id} to push", code="image_gone")
        if stopped():
            return ""
        wanted, digest = ImageReference.parse(reference), _digest(f"manifest of {image_id}")
        self.registry.accept(wanted.path, wanted.version, digest)
        on_line("Pushed")
        return digest

    def forget_image(self, reference: str) -> None:
        """Take a tag away, and the image when that was its last; by id only what no tag holds."""
        self.ping()
        self.calls.append(("forget_image", reference))
        key = reference if reference.startswith("sha256:") else str(ImageReference.parse(reference))
        image = self.images.get(key)
        others = [name for name, one in self.images.items() if one is image and name not in (key, one.facts.id)]
        used = [one for one in self.standing.values() if image and one.image_id == image.facts.id]
        if image is None or (others and key == image.facts.id) or (used and not others):
            return
        del self.images[key]
        if not others:
            self.images.pop(image.facts.id, None)

    def start(self, spec: ContainerSpec) -> Container:
        """Create and start, or adopt."""
        self.ping()
        with self._lock:
            self.calls.append(("start", spec.name))
            there = self.standing.get(spec.name)
            if there is None:
                self._create(spec)
            else:
                _refuse_other(spec, there)
            return self._run(spec.name)

    def run_once(self, spec: ContainerSpec, grace: float, on_line: OnLine, stopped: Stopped) -> Ending | None:
        """Tell the lines of its image's script; what has no exit code goes on until it is stopped."""
        self.ping()
        with self._lock:
            self.calls.append(("run_once", spec.name))
            if spec.name in self.standing:
                raise TransientError(f"the name {spec.name} is taken still", code="name_busy")
            self._create(spec)
        try:
            self._begin(spec)
            return self._follow(spec, on_line, stopped)
        finally:
            self.standing.pop(spec.name, None)

    def _begin(self, spec: ContainerSpec) -> None:
        behaviour = self.images[spec.image_id].behaviour
        if behaviour.cannot_start:
            raise AppError(f"{spec.name} cannot be started: {behaviour.cannot_start}", code="cannot_start")
        if self.at(spec.address) is not None:
            raise TransientError(f"{spec.name} cannot be started: Address already in use", code="cannot_start")
        self.standing[spec.name] = replace(self.standing[spec.name], running=True, address=spec.address)
        self.ran.append(spec)

    def _follow(self, spec: ContainerSpec, on_line: OnLine, stopped: Stopped) -> Ending | None:
        behaviour = self.images[spec.image_id].behaviour
        for line in behaviour.output:
            on_line(line)
        code = self._code_of(spec)
        while not stopped():
            if code is not None:
                return Ending(code, behaviour.out_of_memory)
            self.waited()
        return None

    def _code_of(self, spec: ContainerSpec) -> int | None:
        """What a command ends with; ``None``: it does not end by itself."""
        behaviour = self.images[spec.image_id].behaviour
        if not spec.command:
            return behaviour.exit_code
        codes = behaviour.endings.get(spec.command[0], (0,))
        turn = sum(one.command == spec.command for one in self.ran)
        return codes[min(turn, len(codes)) - 1] if codes else None

    def find(self, name: str) -> Container | None:
        """One container."""
        self.ping()
        return self.standing.get(name)

    def containers(self, labels: Mapping[str, str]) -> list[Container]:
        """Those with these labels, oldest first."""
        self.ping()
        return [one for one in self.standing.values() if labels.items() <= one.labels.items()]

    def keep_running(self, name: str) -> None:
        """Remember that it is to be restarted."""
        self.ping()
        if name not in self.standing:
            raise TransientError(f"the engine said: no such container: {name}", code="engine_error")
        self.kept.add(name)

    def resume(self, name: str) -> None:
        """Start a stopped one."""
        self.ping()
        self.calls.append(("resume", name))
        with self._lock:
            self._run(name)

    def stop(self, name: str, grace: float) -> None:
        """Stop one, if it is there."""
        self.ping()
        self.calls.append(("stop", name))
        self.graces[name] = grace
        if name in self.standing and self.standing[name].running:
            self.die(name, exit_code=143)

    def remove(self, name: str) -> None:
        """Remove one, if it is there."""
        self.ping()
        self.calls.append(("remove", name))
        self.standing.pop(name, None)
        self.kept.discard(name)

    def output(self, name: str, tail: int) -> list[str]:
        """The last lines of its image's script."""
        self.ping()
        if name not in self.specs or name not in self.standing:
            return []
        return list(self.images[self.specs[name].image_id].behaviour.output[-tail:])

    def listeners(self, name: str) -> list[Listener]:
        """Its one port, if it has one."""
        self.ping()
        one = self.standing.get(name)
        behaviour = self.images[one.image_id].behaviour if one and one.running else Behaviour(port=None)
        return [] if behaviour.port is None else [Listener(behaviour.port, behaviour.loopback_only)]

    def execute(self, name: str, command: Sequence[str], timeout: float) -> Executed:
        """What its image's behaviour says of this command; one it says nothing of does not exist."""
        self.ping()
        self.calls.append(("execute", name))
        one = self.standing.get(name)
        if one is None or not one.running:
            return Executed(None, problem="its container does not run")
        missing = Executed(127, f"{command[0]}: executable file not found")
        return self.images[one.image_id].behaviour.commands.get(tuple(command), missing)

    def _create(self, spec: ContainerSpec) -> None:
        if spec.image_id not in self.images:
            raise TransientError(f"the engine has not the image {spec.image_id} any more", code="image_gone")
        self.specs[spec.name] = spec
        self.stored = {**{one.name: one for one in spec.volumes.values()}, **self.stored}
        made = _digest(f"{spec.name} {len(self.calls)}").removeprefix("sha256:")
        labels = dict(spec.labels)
        self.standing[spec.name] = Container(made, spec.name, spec.image_id, labels, False, None, 0, False, 0)

    def _run(self, name: str) -> Container:
        if name not in self.standing:
            raise TransientError(f"{name} disappeared before it was started", code="replica_gone")
        spec, there = self.specs[name], self.standing[name]
        if there.running:
            return there
        behaviour = self.images[spec.image_id].behaviour
        if behaviour.cannot_start:
            raise AppError(f"{name} cannot be started: {behaviour.cannot_start}", code="cannot_start")
        if self.at(spec.address) is not None:
            raise TransientError(f"{name} cannot be started: Address already in use", code="cannot_start")
        running = behaviour.exit_code is None
        self.standing[name] = replace(
            there,
            running=running,
            address=spec.address if running else None,
            exit_code=behaviour.exit_code or 0,
            out_of_memory=behaviour.out_of_memory,
            interrupted=False,
        )
        return self.standing[name]


def _refuse_other(spec: ContainerSpec, there: Container) -> None:
    if not spec.labels.items() <= there.labels.items():
        raise PlatformError(f"the name {spec.name} is taken by a container that is not ours", code="name_taken")
    if there.image_id != spec.image_id:
        raise PlatformError(f"{spec.name} runs {there.image_id}, not {spec.image_id}", code="wrong_image")


def _image(reference: str, mark: str, behaviour: Behaviour, ports: tuple[int, ...]) -> FakeImage:
    parsed = ImageReference.parse(reference)
    image_id = _digest(f"{parsed} {mark}")
    digest = f"{parsed.repository}@{parsed.digest or _digest(f'manifest of {image_id}')}"
    return FakeImage(ImageFacts(image_id, ports, (digest,)), behaviour)


def _foreign(name: str) -> Container:
    return Container("f" * 64, name, _digest("foreign"), {}, False, None, 0, False, 0)


def _digest(text: str) -> str:
    return f"sha256:{sha256(text.encode()).hexdigest()}"
