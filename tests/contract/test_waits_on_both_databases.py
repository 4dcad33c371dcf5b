"""What the line, the lock and the queue ask of a database, SQLite and PostgreSQL answer alike."""

from datetime import timedelta

from longshore.services import jobs, locks, parts, queue
from longshore.services.locks import NewLock
from longshore.services.tokens import Caller, Scope


def finished(stack, seconds: float) -> None:
    """A deployment that took so long."""
    stack.deploy()
    work = jobs.claim(stack.worker, stack.ring())
    assert work is not None
    stack.clock.sleep(seconds)
    jobs._give_up(work)
    stack.drive()


def test_the_queue_its_pages_and_its_estimates(stack):
    parts.check(stack.worker)
    stack.create()
    stack.queue.lose_all()
    for seconds in (10, 30, 20):
        finished(stack, seconds)
    stack.deploy()
    assert jobs.claim(stack.worker, stack.ring("build"))
    stack.deploy(source={"current": True})
    stack.clock.sleep(5)
    pages = [queue.show(stack.services, only="hello", limit=1, cursor=None)]
    pages.append(queue.show(stack.services, only="hello", limit=1, cursor=pages[0].next_cursor))
    assert [[one.deployment for one in page.items] for page in pages] == [["hello#4"], ["hello#5"]]
    assert [page.items[0].estimate_seconds for page in pages] == [15, 15]
    assert pages[1].next_cursor is None


def test_what_is_forced_passes_what_a_lock_holds_back_also_when_its_message_was_lost(stack):
    stack.create()
    stack.deploy()
    stack.drive()
    until = stack.clock.now() + timedelta(hours=1)
    locks.lock(stack.services, "hello", NewLock("freeze", "wait", until), Caller("ci", Scope.DEPLOY, None, "1"))
    stack.deploy()
    stack.deploy(source={"release": 1}, forced=True)
    stack.queue.lose_all()
    stack.run_on(stack.settings.overdue + 4)
    assert [stack.show(number).state for number in (2, 3)] == ["queued", "succeeded"]
    assert stack.show(2).why == "waits for the lock of ci: freeze until 13:00 UTC"
