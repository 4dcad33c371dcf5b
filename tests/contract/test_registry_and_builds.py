"""A real registry, and the three ways of building on a real engine."""

import contextlib
import io
import secrets
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.adapters.builder import Ladder
from longshore.adapters.builder.limits import BuildLimits
from longshore.adapters.registry import HttpRegistry
from longshore.domain.names import LABEL_STACK
from longshore.domain.ports import BuildLine, BuildRequest, BuildStepSeen
from longshore.errors import AppError, PartDownError
from longshore.testing import FakeEngine, FakeRegistry

BASE = "python:3.13-slim"
RUNGS = ("engine-api", "buildx", "classic")


def context(folder: Path, dockerfile: str, **files: str) -> Path:
    path = folder / "context.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, text in {"Dockerfile": dockerfile, **files}.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


@pytest.fixture
def request_for(yard, tmp_path):
    """A build of this stack; its image is removed with the stack."""

    def make(dockerfile: str, **given) -> BuildRequest:
        tag = f"127.0.0.1:{yard.settings.registry_port}/{yard.stack}:{secrets.token_hex(4)}"
        labels = {LABEL_STACK: yard.stack}
        return BuildRequest(context(tmp_path, dockerfile, **given.pop("files", {})), "Dockerfile", tag, labels, **given)

    return make


@pytest.fixture(params=RUNGS)
def builder(request, yard) -> Ladder:
    limits = BuildLimits(yard.connection, yard.settings, Path("/nowhere"))  # the host's groups are not ours to set
    return Ladder(yard.connection, limits, request.param)


def follow(builder: Ladder, request: BuildRequest) -> tuple[dict[str, BuildStepSeen], list[str]]:
    """The last news of each step, and all lines."""
    steps, lines = {}, []
    with builder.build(request) as news:
        for item in news:
            if isinstance(item, BuildStepSeen):
                steps[item.key] = item
            elif isinstance(item, BuildLine):
                lines.append(item.text)
    return steps, lines


def ran(steps: dict[str, BuildStepSeen]) -> list[BuildStepSeen]:
    return [step for step in steps.values() if "RUN" in step.name]


def test_a_build_makes_an_image_and_tells_its_steps(builder, yard, request_for):
    mark = secrets.token_hex(4)
    request = request_for(f"FROM {BASE}\nEXPOSE 5000\nRUN echo made-{mark}\n")
    steps, lines = follow(builder, request)
    image = yard.engine.find_image(request.tag)
    assert image.ports == (5000,)
    assert f"made-{mark}" in " ".join(lines)
    (step,) = ran(steps)
    assert not step.cached
    assert step.started_at <= step.ended_at


def test_a_second_build_takes_its_steps_from_the_cache(builder, request_for):
    dockerfile = f"FROM {BASE}\nRUN echo {secrets.token_hex(4)}\n"
    first, _ = follow(builder, request_for(dockerfile))
    second, _ = follow(builder, request_for(dockerfile))
    assert [step.cached for step in ran(first) + ran(second)] == [False, True]


def test_a_step_that_fails_is_the_apps_fault_and_is_named(builder, yard, request_for):
    request = request_for(f"FROM {BASE}\nRUN echo before && exit 7\n")
    with pytest.raises(AppError, match="exit 7") as caught:
        follow(builder, request)
    assert (caught.value.code, "RUN" in caught.value.message) == ("build_failed", True)
    assert yard.engine.find_image(request.tag) is None


def test_a_dockerfile_that_is_none_is_the_apps_fault(builder, request_for):
    with pytest.raises(AppError):
        follow(builder, request_for("HELLO WORLD\n"))


def test_arguments_target_and_files_arrive(builder, yard, request_for):
    dockerfile = (
        f"FROM {BASE} AS one\nARG WORD\nCOPY a.txt .\nRUN echo $WORD-$(cat a.txt)\nFROM one AS two\nRUN exit 1\n"
    )
    word = secrets.token_hex(4)
    _, lines = follow(
        builder, request_for(dockerfile, args={"WORD": word}, target="one", files={"a.txt": "from-the-context"})
    )
    assert f"{word}-from-the-context" in " ".join(lines)


def at_work(mark: str) -> list[str]:
    """The processes of this host that were started with this mark: the engine runs build steps here."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += [path.parent.name] if mark in path.read_text(errors="replace") else []
    return found


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_leaving_the_stream_stops_the_build(builder, yard, request_for):
    mark = secrets.token_hex(8)
    request = request_for(f"FROM {BASE}\nRUN echo {mark} && sleep 30\n")
    with builder.build(request) as news:
        assert any(item is None and at_work(f"echo {mark}") for item in news)
    assert until(lambda: not at_work(f"echo {mark}"))
    assert yard.engine.find_image(request.tag) is None
    assert [one.name for one in threading.enumerate() if one.name == "build-stream"] == []


# The registry


def answers(registry: HttpRegistry) -> bool:
    try:
        registry.ping()
    except PartDownError:
        return False
    return True


@pytest.fixture(scope="module")
def registry(yard) -> Iterator[HttpRegistry]:
    (yard.settings.root / "router").mkdir(exist_ok=True)
    (yard.settings.root / "router" / "haproxy.cfg").write_text("defaults\n    mode http\n    timeout client 1s\n")
    yard.parts.ensure()
    ours = HttpRegistry(yard.settings)
    assert until(lambda: answers(ours))
    yield ours
    ours._client.close()


def pushed(engine, prefix: str, image_id: str, name: str) -> str:
    return engine.push(image_id, f"{prefix}/{name}:1", lambda _: None, lambda: False)


@pytest.fixture(params=["fake", "real"])
def shelf(request):
    """A registry, an engine that pushes to it, and an image to push."""
    if request.param == "fake":
        fake = FakeRegistry()
        engine = FakeEngine(fake)
        return fake, engine, engine.add_image("small:1")
    yard, registry = request.getfixturevalue("yard"), request.getfixturevalue("registry")
    made = request.getfixturevalue("request_for")("FROM scratch\nCOPY a.txt /\n", files={"a.txt": "x"})
    follow(Ladder(yard.connection, BuildLimits(yard.connection, yard.settings, Path("/nowhere")), "engine-api"), made)
    return registry, yard.engine, yard.engine.find_image(made.tag).id


def test_what_was_pushed_is_found_by_tag_and_by_digest(shelf):
    registry, engine, image = shelf
    digest = pushed(engine, registry.prefix, image, "team/hello")
    assert digest.startswith("sha256:")
    assert registry.digest("team/hello", "1") == digest
    assert registry.digest("team/hello", digest) == digest


def test_what_was_not_pushed_is_not_there(shelf):
    registry, engine, image = shelf
    pushed(engine, registry.prefix, image, "hello")
    assert registry.digest("hello", "2") is None
    assert registry.digest("nobody", "1") is None
    assert registry.digest("hello", "sha256:" + "0" * 64) is None


def test_pushing_twice_gives_the_same_digest(shelf):
    registry, engine, image = shelf
    assert pushed(engine, registry.prefix, image, "same") == pushed(engine, registry.prefix, image, "same")


def test_a_registry_that_is_away_is_a_part_that_is_down(yard):
    nobody = HttpRegistry(yard.settings.model_copy(update={"registry_port": 9}))
    with pytest.raises(PartDownError) as caught:
        nobody.ping()
    assert caught.value.part == "registry"
    with pytest.raises(PartDownError):
        nobody.digest("hello", "1")
