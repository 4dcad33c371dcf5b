"""Answers are kept with the deed, or not at all."""

import contextlib
import sys

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from longshore.errors import ConflictError, UnprocessableError
from longshore.models import App
from longshore.services import apps, idempotency, sweeps
from longshore.services.apps import NewApp
from longshore.services.idempotency import Ask

ASK = Ask("me", "k", "f")


def kept(stack) -> int:
    with stack.db.read() as session:
        return session.scalar(text("SELECT count(*) FROM kept_answers"))


def test_outside_of_a_request_with_a_key_nothing_is_kept(stack):
    with idempotency.asking(ASK):
        stack.create("first")
    stack.create("second")
    assert kept(stack) == 1


def test_what_fails_keeps_nothing(stack):
    stack.create()
    with pytest.raises(ConflictError) as caught, idempotency.asking(ASK):
        stack.create()
    assert (caught.value.code, kept(stack)) == ("name_taken", 0)
    assert idempotency.kept(stack.services, ASK) is None


def test_a_key_that_is_taken_is_not_told_as_a_name_that_is(stack):
    with idempotency.asking(ASK):
        stack.create("first")
    with pytest.raises(ConflictError) as caught, idempotency.asking(ASK):
        stack.create("second")
    assert caught.value.code == "answered"
    assert [app.name for app in apps.show_all(stack.services, only=None, limit=9, cursor=None).items] == ["first"]


def test_the_answer_is_the_view_of_the_one_who_did_it(stack):
    with idempotency.asking(ASK):
        view = apps.create(stack.services, NewApp("hello"))
    assert idempotency.kept(stack.services, ASK) == view.model_dump_json()
    assert idempotency.kept(stack.services, Ask("another", "k", "f")) is None
    with pytest.raises(UnprocessableError):
        idempotency.kept(stack.services, Ask("me", "k", "g"))


def test_a_sweep_forgets_old_answers_a_part_at_a_time(stack, monkeypatch):
    monkeypatch.setattr(sys.modules[sweeps.clean.__module__], "ANSWERS_AT_ONCE", 2)
    for number in range(5):
        stack.clock.jump(3600)
        with idempotency.asking(Ask("me", str(number), "f")):
            stack.create(f"app-{number}")
    stack.clock.jump(22 * 3600 + 1)
    counts = []
    for _ in range(3):
        sweeps.clean(stack.worker)
        counts.append(kept(stack))
    assert counts == [3, 2, 2]
    assert idempotency.kept(stack.services, Ask("me", "3", "f"))


def test_what_the_deed_itself_breaks_is_not_told_as_a_key_that_is_taken(stack):
    view = apps.create(stack.services, NewApp("hello"))
    twin = App(name="hello", config={}, env=b"", domains=[], created_at=stack.clock.now())
    with idempotency.asking(ASK), contextlib.suppress(IntegrityError), stack.db.write() as session:
        session.add(twin)
        idempotency.keep(stack.services, session, view)
        raise AssertionError("two apps of one name")
    assert kept(stack) == 0
