"""The CLI's client: a POST whose line broke is sent again under its own key."""

import io

import httpx
import pytest

from longshore.cli import client as module
from longshore.cli.client import ApiError, Client
from longshore.errors import PartDownError

LATE = httpx.Response(503, json={"code": "part_down", "detail": "the database did not answer"})
RUNNING = httpx.Response(409, json={"code": "still_running", "detail": "still running"})
TAKEN = httpx.Response(409, json={"code": "name_taken", "detail": "taken"})
MADE = httpx.Response(201, json={"name": "hello"})
NOBODY, DROPPED = httpx.ConnectError("refused"), httpx.ReadError("reset")


class Line:
    """A server that answers as it is told, and what reached it."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def keys(self) -> list[str | None]:
        return [request.headers.get("idempotency-key") for request in self.asked]


@pytest.fixture
def over(monkeypatch):
    """A client over such a line; nobody waits."""
    monkeypatch.setenv("LONGSHORE_TOKEN", "lsh_a_b")
    monkeypatch.setattr(module.time, "sleep", lambda _: None)

    def make(line: Line) -> Client:
        client = Client()
        client._http = httpx.Client(base_url="http://127.0.0.1", transport=httpx.MockTransport(line))
        return client

    return make


@pytest.mark.parametrize(
    "before", [[DROPPED], [LATE], [httpx.Response(502)], [DROPPED, NOBODY, RUNNING]], ids=["line", "503", "502", "all"]
)
def test_a_post_goes_again_under_the_same_key(over, before):
    line = Line(*before, MADE)
    assert over(line).post("/v1/apps", json={"name": "hello"}) == {"name": "hello"}
    assert len(line.keys) == len(before) + 1
    assert len(set(line.keys)) == 1
    assert line.keys[0]


@pytest.mark.parametrize(("answer", "error"), [(TAKEN, ApiError), (NOBODY, PartDownError)], ids=["409", "nobody"])
def test_what_will_not_pass_is_told_at_once(over, answer, error):
    line = Line(answer)
    with pytest.raises(error):
        over(line).post("/v1/apps", json={})
    assert len(line.asked) == 1


def test_in_the_end_the_last_error_is_told(over):
    line = Line(DROPPED, *[LATE] * 3)
    with pytest.raises(ApiError, match="database"):
        over(line).post("/v1/apps", json={})
    assert len(line.asked) == 4


def test_each_post_has_a_key_of_its_own_and_a_get_has_none(over):
    line = Line(MADE, MADE, MADE)
    client = over(line)
    client.post("/v1/apps", json={})
    client.post("/v1/apps", json={})
    client.get("/v1/apps")
    assert len(set(line.keys)) == 3
    assert line.keys[2] is None


def test_an_upload_is_sent_whole_again(over):
    line = Line(DROPPED, MADE)
    over(line).post("/v1/x", files={"source": ("a.tar", io.BytesIO(b"content"), "application/x-tar")})
    assert all(b"content" in request.content for request in line.asked)
