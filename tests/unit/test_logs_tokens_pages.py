"""Logs are redacted and capped when they are written; tokens open what they are for; lists come in pages."""

import contextlib
import threading

import pytest

from longshore.domain.redaction import MASK, Redactor
from longshore.errors import ConflictError, InvalidRequestError, NotFoundError, UnauthenticatedError
from longshore.services import apps, deployments, logs, tokens
from longshore.services.logs import CUT_MARK, JobLog
from longshore.services.tokens import Scope


@pytest.fixture
def log(stack):
    stack.create()
    stack.deploy()
    stack.id = deployments.glance(stack.services, "hello", 1).row_id
    return stack


def lines(stack, after: int = 0) -> list[str]:
    return [one.text for one in logs.read(stack.services, stack.id, after=after, limit=1000)]


# Logs


def test_lines_are_written_together_and_in_order(log):
    ours = JobLog(log.services, log.id, "build", Redactor([]))
    ours.write("one")
    ours.write("two\nthree")
    ours.flush()
    assert "\n".join(lines(log)) == "one\ntwo\nthree"


def test_what_is_printed_shows_after_a_moment_though_nothing_follows(log):
    ours = JobLog(log.services, log.id, "build", Redactor([]))
    ours.write("one")
    ours.write("two")
    log.clock.sleep(0.2)
    ours.pulse()
    assert "\n".join(lines(log)) == "one\ntwo"


def test_a_secret_is_masked_when_it_is_written(stack):
    stack.create(env={"PASSWORD": "correct-horse-battery"})
    from longshore.domain.ports import BuildLine

    stack.builder.news = [BuildLine("RUN echo correct-horse-battery")]
    stack.deploy(env={"OTHER": "another-long-secret"})
    stack.builder.meanwhile = lambda: None
    stack.builder.news = [*stack.builder.news, BuildLine("and another-long-secret")]
    stack.drive()
    told = stack.log(1)
    assert "correct-horse" not in told
    assert "another-long" not in told
    assert told.count(MASK) == 2


def test_a_secret_is_masked_in_the_error_of_a_job_too(stack):
    from longshore.errors import AppError

    stack.create(env={"PASSWORD": "correct-horse-battery"})
    stack.builder.error = AppError("failed at RUN login correct-horse-battery", hint="not correct-horse-battery?")
    stack.deploy()
    stack.drive()
    view = stack.show(1)
    assert "correct-horse" not in view.model_dump_json() + stack.log(1)


def test_a_password_in_a_git_url_is_shown_nowhere(stack):
    url = "https://me:s3cret-pass@example.com/shop.git"
    stack.git.repositories[url] = {"Dockerfile": "FROM scratch\n"}
    stack.create()
    stack.deploy(source={"git": {"url": url}})
    stack.drive()
    assert stack.show(1).state == "succeeded"
    assert "s3cret" not in stack.show(1).model_dump_json() + stack.log(1)
    assert stack.show(1).source["git"]["url"] == "https://me:***@example.com/shop.git"


def test_a_token_that_is_the_user_of_a_git_url_is_shown_nowhere(stack):
    url = "https://ghp_verylongtoken@example.com/shop.git"
    stack.git.repositories[url] = {"Dockerfile": "FROM scratch\n"}
    stack.create()
    stack.deploy(source={"git": {"url": url}})
    assert "ghp_verylongtoken" not in stack.show(1).model_dump_json()


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07red", "re\x00d", "\x9b31mred", "red\u202e"])
def test_what_a_terminal_would_obey_is_taken_out(log, text):
    ours = JobLog(log.services, log.id, "build", Redactor([]))
    ours.write(text)
    ours.flush()
    assert lines(log)[0].removeprefix("31m") == "red"


def test_a_very_long_line_is_cut(log):
    ours = JobLog(log.services, log.id, "build", Redactor([]))
    ours.write("x" * 20_000)
    ours.flush()
    assert lines(log)[0] == "x" * 16_384 + " [line cut]"


def test_a_log_over_its_limit_is_cut_once_and_says_so(make_stack):
    stack = make_stack(log_limit=100)
    stack.create()
    stack.deploy()
    stack.id = deployments.glance(stack.services, "hello", 1).row_id
    for _ in range(10):
        logs.append(stack.services, stack.id, "build", "y" * 40)
    told = "\n".join(lines(stack))
    assert told.count("y") == 100
    assert told.count(CUT_MARK) == 1
    assert told.endswith(CUT_MARK)


def test_a_log_is_cut_in_bytes_not_in_letters(make_stack):
    stack = make_stack(log_limit=100)
    stack.create()
    stack.deploy()
    stack.id = deployments.glance(stack.services, "hello", 1).row_id
    logs.append(stack.services, stack.id, "build", "€" * 90)
    assert len("\n".join(lines(stack)).removesuffix(CUT_MARK).encode()) <= 101


def test_two_threads_that_flush_at_once_write_a_line_once(log, monkeypatch):
    meeting, written = threading.Barrier(2, timeout=0.3), []

    def append(services, deployment, job, text, claim):
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait()
        written.append(text)

    monkeypatch.setattr(logs, "append", append)
    ours = JobLog(log.services, log.id, "build", Redactor([]))
    ours._lines.append("once")
    threads = [threading.Thread(target=ours.flush) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written == ["once"]


def test_a_reader_goes_on_after_a_sequence(log):
    for text in "abc":
        logs.append(log.services, log.id, "build", text)
    assert lines(log, after=1) == ["b", "c"]


# Tokens


def test_a_token_is_recognised_and_says_what_it_may(stack):
    _, text = tokens.create(stack.services, "ci", Scope.DEPLOY, app="hello")
    caller = tokens.recognise(stack.services, text)
    assert (caller.name, caller.may(Scope.READ), caller.may(Scope.DEPLOY), caller.may(Scope.ADMIN)) == (
        "ci",
        True,
        True,
        False,
    )
    assert caller.sees("hello")
    assert not caller.sees("other")


def test_only_a_digest_of_a_token_is_kept(stack):
    from longshore.models import Token

    _, text = tokens.create(stack.services, "ci", Scope.READ)
    with stack.db.read() as session:
        row = session.query(Token).one()
    assert text.split("_", 2)[2] not in repr(vars(row))


@pytest.mark.parametrize("wrong", ["", "x", "lsh__", "lsh_abc_def", "lsh_" + "a" * 500])
def test_what_is_no_token_opens_nothing(stack, wrong):
    with pytest.raises(UnauthenticatedError):
        tokens.recognise(stack.services, wrong)


def test_a_token_with_one_wrong_letter_opens_nothing(stack):
    _, text = tokens.create(stack.services, "ci", Scope.READ)
    assert not tokens.valid(stack.services, text[:-1] + ("a" if text[-1] != "a" else "b"))


def test_a_revoked_token_opens_nothing(stack):
    _, text = tokens.create(stack.services, "ci", Scope.READ)
    tokens.revoke(stack.services, "ci")
    assert not tokens.valid(stack.services, text)
    with pytest.raises(NotFoundError):
        tokens.revoke(stack.services, "ci")


def test_a_token_ends_on_its_day(stack):
    _, text = tokens.create(stack.services, "ci", Scope.READ, days=1)
    assert tokens.valid(stack.services, text)
    stack.clock.sleep(86_400)
    assert not tokens.valid(stack.services, text)


def test_a_tokens_name_is_taken_once(stack):
    tokens.create(stack.services, "ci", Scope.READ)
    with pytest.raises(ConflictError):
        tokens.create(stack.services, "ci", Scope.READ)


def test_the_use_of_a_token_is_noted_at_most_once_a_minute(stack):
    _, text = tokens.create(stack.services, "ci", Scope.READ)
    for _ in range(3):
        tokens.recognise(stack.services, text)
        stack.clock.sleep(25)
    (view,) = tokens.show_all(stack.services, limit=10, cursor=None).items
    assert (stack.clock.now() - view.last_used_at).total_seconds() == 75


# Pages


def test_pages_show_every_item_once_and_end(stack):
    for name in ("d", "b", "a", "c", "e"):
        stack.create(name)
    seen, cursor = [], None
    while True:
        page = apps.show_all(stack.services, only=None, limit=2, cursor=cursor)
        seen += [app.name for app in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["a", "b", "c", "d", "e"]


def test_an_item_that_comes_while_pages_are_read_moves_no_other(stack):
    stack.create()
    for _ in range(4):
        stack.deploy()
    first = deployments.show_all(stack.services, "hello", limit=2, cursor=None)
    stack.deploy()
    second = deployments.show_all(stack.services, "hello", limit=2, cursor=first.next_cursor)
    assert [d.number for d in first.items + second.items] == [4, 3, 2, 1]
    assert second.next_cursor is None


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "", "9" * 40])
def test_a_cursor_we_did_not_give_is_refused(stack, cursor):
    stack.create()
    with pytest.raises(InvalidRequestError, match="is not one we gave"):
        deployments.show_all(stack.services, "hello", limit=2, cursor=cursor)
