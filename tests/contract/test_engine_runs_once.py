"""One contract for commands that run once, on the fake engine and on the real one."""

import gc
import threading

import pytest
from test_engine import Subject, fake_subject, real_command

from longshore.adapters.engine.one_off import LINE_LIMIT, lines
from longshore.domain.ports import Ending
from longshore.errors import AppError, TransientError
from longshore.testing import Behaviour


def never() -> bool:
    return False


def ignore(_: str) -> None:
    pass


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param == "fake":
        return fake_subject()
    yard = request.getfixturevalue("yard")
    made = Subject(yard.engine, yard.stack, lambda b: (yard.engine.find_image("python:3.13-slim").id, real_command(b)))
    made._count = 100
    return made


@pytest.mark.parametrize("code", [0, 3, 75])
def test_its_lines_and_its_exit_code_are_told_and_it_is_gone(subject, code):
    spec, told = subject.spec(Behaviour(exit_code=code, output=("one", "two"))), []
    assert subject.engine.run_once(spec, 1, told.append, never) == Ending(code)
    assert told == ["one", "two"]
    assert subject.engine.find(spec.name) is None


def test_one_that_goes_on_is_stopped_when_it_is_over_and_is_gone(subject):
    spec, asked, seen = subject.spec(Behaviour(port=None)), [], []

    def stopped() -> bool:
        seen.append(subject.engine.find(spec.name))
        asked.append(True)
        return len(asked) > 2

    assert subject.engine.run_once(spec, 1, ignore, stopped) is None
    assert seen[0].running
    assert seen[0].address in (spec.address, None)
    assert subject.engine.find(spec.name) is None
    gc.collect()


def test_a_container_of_its_name_is_never_touched(subject):
    spec = subject.spec()
    standing = subject.engine.start(spec)
    with pytest.raises(TransientError) as caught:
        subject.engine.run_once(spec, 1, ignore, never)
    assert caught.value.code == "name_busy"
    assert subject.engine.find(spec.name).id == standing.id
    subject.engine.remove(spec.name)


def outcome(subject, spec) -> str | int:
    try:
        return subject.engine.run_once(spec, 1, ignore, never).exit_code
    except AppError as error:
        return error.code


def test_what_cannot_be_started_says_so_and_is_gone(subject):
    spec = subject.spec(Behaviour(cannot_start="no such file or directory"))
    assert outcome(subject, spec) in ("cannot_start", 127)  # 127: the init process found no program
    assert subject.engine.find(spec.name) is None


def test_it_is_gone_also_when_whoever_listens_fails(subject):
    spec = subject.spec(Behaviour(exit_code=0, output=("one",)))

    def fail(_: str) -> None:
        raise RuntimeError("nobody listens")

    with pytest.raises(RuntimeError):
        subject.engine.run_once(spec, 1, fail, never)
    assert subject.engine.find(spec.name) is None
    assert not [thread for thread in threading.enumerate() if thread.name == "one-off"]


def test_lines_are_whole_and_long_ones_come_in_pieces():
    assert list(lines([b"a", b"b\nc", b"\n\nlast"])) == ["ab", "c", "", "last"]
    pieces = list(lines([b"x" * 10_000] * 5))
    assert max(map(len, pieces)) == LINE_LIMIT
    assert "".join(pieces) == "x" * 50_000
    assert list(lines([b"\xff\n"])) == ["\ufffd"]
