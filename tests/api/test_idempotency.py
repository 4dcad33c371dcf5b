"""A POST with an Idempotency-Key: asked any number of times, at once or after a crash, and done once."""

import threading
from collections.abc import Callable

import pytest
from longshore_api import idempotency
from longshore_api.app import create_app
from sqlalchemy import text

from longshore.services import sweeps

DEPLOYMENTS = "/v1/apps/hello/deployments"
IMAGE = {"source": {"image": "nginx:1"}}
GIT = {"source": {"git": {"url": "https://example.com/shop.git"}}}

# Every POST there is: its route, an address, a body, and one that asks for something else.
POSTS = [
    ("/v1/apps", "/v1/apps", {"name": "shop"}, {"name": "other"}),
    ("/v1/apps/<app>/deployments", DEPLOYMENTS, IMAGE, GIT),
    ("/v1/apps/<app>/deployments/<number>/cancel", "/v1/apps/hello/deployments/3/cancel", {}, {"x": 1}),
    ("/v1/apps/<app>/lock", "/v1/apps/hello/lock", {"reason": "freeze"}, {"reason": "fair"}),
    ("/v1/apps/<app>/rollback", "/v1/apps/hello/rollback", {}, {"force": True}),
    ("/v1/apps/<app>/restart", "/v1/apps/hello/restart", {}, {"trigger": "cli"}),
    ("/v1/apps/<app>/scale", "/v1/apps/hello/scale", {"replicas": 2}, {"replicas": 3}),
    ("/v1/apps/<app>/runs", "/v1/apps/hello/runs", {"command": ["true"]}, {"command": ["false"]}),
    ("/v1/tokens", "/v1/tokens", {"name": "ci", "scope": "read"}, {"name": "ci", "scope": "admin"}),
]
DONE = (200, 201, 202)
COUNTED = ("apps", "deployments", "tokens", "runs", "events", "kept_answers")
EVERY = pytest.mark.parametrize(("path", "body", "other"), [post[1:] for post in POSTS], ids=[p[0] for p in POSTS])


@pytest.fixture
def hello(hello, web, request):
    """With something to cancel, and something to go back to, where that is what is asked for."""
    path = request.node.callspec.params.get("path", "") if hasattr(request.node, "callspec") else ""
    if path.endswith(("cancel", "rollback", "restart", "runs")):
        for _ in range(2):
            web.stack.deploy()
            web.stack.drive()
        web.stack.deploy()
    return hello


def post(caller, path: str, body: dict, key: str | None = "k-1", **given):
    headers = {"Idempotency-Key": key} if key is not None else {}
    return caller("POST", path, json=body, headers=headers, **given)


def count(web, table: str) -> int:
    with web.stack.db.read() as session:
        return session.scalar(text(f"SELECT count(*) FROM {table}"))


def kept_uploads(web) -> list[str]:
    return [path.name for path in (web.stack.settings.root / "uploads").glob("*")]


def another_process(web, caller):
    """The same caller before a second web process over the same rows."""
    twin = type(caller)(create_app(web.stack.services).test_client(), None)
    twin.headers = caller.headers
    return twin


def threads(*actions: Callable[[], object]) -> list[object]:
    """What they answer when they run at the same moment."""
    answers: list[object] = [None] * len(actions)
    ready = threading.Barrier(len(actions))

    def run(number: int) -> None:
        ready.wait(30)
        answers[number] = actions[number]()

    running = [threading.Thread(target=run, args=(number,)) for number in range(len(actions))]
    for one in running:
        one.start()
    for one in running:
        one.join(60)
    return answers


def meet(monkeypatch, owner, name: str, parties: int = 2) -> None:
    """Nobody gets past this call before all have come to it: none of them found an earlier answer."""
    real, barrier = getattr(owner, name), threading.Barrier(parties)

    def wait(*given):
        barrier.wait(30)
        return real(*given)

    monkeypatch.setattr(owner, name, wait)


# Every POST


def test_every_post_takes_a_key_and_is_tested_here(web):
    assert idempotency.undeclared(web) == []
    routes = {rule.rule for rule in web.url_map.iter_rules() if "POST" in rule.methods and rule.rule.startswith("/v1")}
    assert routes == {post[0] for post in POSTS}


def test_a_post_that_says_nothing_of_keys_is_found(web):
    app = create_app(web.stack.services)
    app.add_url_rule("/v1/forgotten", "forgotten", lambda: "", methods=["POST"])
    assert idempotency.undeclared(app) == ["/v1/forgotten"]


@EVERY
def test_a_repeat_gets_the_same_answer_and_does_nothing(web, hello, path, body, other):
    first = post(hello, path, body)
    before = [count(web, table) for table in COUNTED]
    repeat = post(hello, path, body)
    assert first.status_code in DONE
    assert "Idempotent-Replayed" not in first.headers
    assert repeat.headers.pop("Idempotent-Replayed") == "true"
    assert (repeat.status_code, repeat.data) == (first.status_code, first.data)
    assert dict(repeat.headers) == dict(first.headers)
    assert before == [count(web, table) for table in COUNTED]


@EVERY
def test_the_same_key_with_another_body_is_a_422_that_does_nothing(web, hello, path, body, other):
    first = post(hello, path, body)
    refused = post(hello, path, other)
    assert (refused.status_code, refused.json["code"]) == (422, "key_reused")
    assert "new key" in refused.json["hint"]
    assert post(hello, path, body).data == first.data


@EVERY
def test_a_body_that_would_be_refused_is_another_body_too(hello, path, body, other):
    post(hello, path, body)
    assert post(hello, path, {"nonsense": 1}).status_code == 422


@EVERY
def test_the_document_names_the_header_once(web, hello, path, body, other):
    create_app(web.stack.services)  # a second one shares the blueprints
    document = web.test_client().get("/openapi.json").json
    item = document["paths"][path.replace("/hello/", "/{app}/").replace("/3/", "/{number}/")]
    named = [one for one in item["post"].get("parameters", []) if one["name"] == "Idempotency-Key"]
    assert [(one["in"], one["schema"]["maxLength"]) for one in named] == [("header", 255)]


@EVERY
def test_without_a_key_nothing_is_kept(web, hello, path, body, other):
    assert post(hello, path, body, key=None).status_code in DONE
    assert count(web, "kept_answers") == 0


def test_two_keys_are_two_deployments(hello):
    assert [post(hello, DEPLOYMENTS, IMAGE, key).json["number"] for key in ("a", "b")] == [1, 2]


def test_the_order_of_keys_in_json_means_nothing(admin):
    first = admin("POST", "/v1/apps", data='{"name": "shop", "port": 80}', content_type="application/json",
                  headers={"Idempotency-Key": "k"})  # fmt: skip
    repeat = admin("POST", "/v1/apps", data='{"port":80,\n"name":"shop"}', content_type="application/json",
                   headers={"Idempotency-Key": "k"})  # fmt: skip
    assert (repeat.status_code, repeat.data) == (201, first.data)


def test_the_same_key_and_body_at_another_address_is_another_request(web, hello):
    web.stack.create("other")
    post(hello, DEPLOYMENTS, IMAGE)
    assert post(hello, "/v1/apps/other/deployments", IMAGE).status_code == 422
    assert post(hello, f"{DEPLOYMENTS}?x=1", IMAGE).status_code == 422


def test_a_change_that_is_no_post_takes_no_key(web, hello):
    web.stack.deploy()
    web.stack.drive()
    for number in (2, 3):
        answer = hello("PATCH", "/v1/apps/hello", json={"env": {"A": "1"}}, headers={"Idempotency-Key": "k"})
        assert answer.json["number"] == number
        web.stack.drive()
    assert count(web, "kept_answers") == 0


# Keys


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "a\tb", "x" * 256, "\x7f"], ids=repr)
def test_a_key_that_cannot_be_is_a_400(hello, key):
    answer = post(hello, DEPLOYMENTS, IMAGE, key)
    assert (answer.status_code, answer.json["code"]) == (400, "bad_key")
    assert hello("GET", DEPLOYMENTS).json["items"] == []


@pytest.mark.parametrize("key", ["x", "~" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "a,b"])
def test_a_key_is_any_visible_ascii(hello, key):
    assert post(hello, DEPLOYMENTS, IMAGE, key).data == post(hello, DEPLOYMENTS, IMAGE, key).data


def test_the_same_key_of_another_token_is_another_key(web, hello, as_):
    numbers = [post(caller, DEPLOYMENTS, IMAGE).json["number"] for caller in (hello, as_("deploy"))]
    assert numbers == [1, 2]


def test_a_token_made_again_under_its_old_name_asks_for_the_first_time(hello):
    def made() -> dict[str, str]:
        text = hello("POST", "/v1/tokens", json={"name": "ci", "scope": "deploy"}).json["token"]
        return {"Authorization": f"Bearer {text}", "Idempotency-Key": "k"}

    first = hello.client.post(DEPLOYMENTS, json=IMAGE, headers=made()).json
    hello("DELETE", "/v1/tokens/ci")
    second = hello.client.post(DEPLOYMENTS, json=IMAGE, headers=made()).json
    assert (first["number"], second["number"]) == (1, 2)


def test_access_is_asked_before_any_answer_is_given_again(web, hello, as_):
    post(hello, DEPLOYMENTS, IMAGE)
    web.stack.create("other")
    assert post(as_("admin", app="other"), DEPLOYMENTS, IMAGE).status_code == 404
    assert post(as_("read"), DEPLOYMENTS, IMAGE).status_code == 403
    hello("DELETE", "/v1/tokens/admin None")
    assert post(hello, DEPLOYMENTS, IMAGE).status_code == 401


# What is kept, and for how long


def test_an_error_is_not_kept(web, hello):
    assert post(hello, DEPLOYMENTS, {"release": 1}).status_code == 404
    assert post(hello, "/v1/apps", {"name": "hello"}).status_code == 409
    assert post(hello, "/v1/apps", {"name": "A"}).status_code == 400
    assert count(web, "kept_answers") == 0
    web.stack.deploy()
    web.stack.drive()
    answer = post(hello, DEPLOYMENTS, {"release": 1})
    assert (answer.status_code, answer.json["number"]) == (202, 2)


def test_a_repeat_after_the_app_is_gone_still_gets_its_answer(web, hello):
    first = post(hello, DEPLOYMENTS, IMAGE)
    web.stack.drive()
    hello("DELETE", "/v1/apps/hello")
    web.stack.drive()
    assert hello("GET", "/v1/apps/hello").status_code == 404
    assert post(hello, DEPLOYMENTS, IMAGE).data == first.data


def test_a_new_tokens_text_is_given_again_and_lies_nowhere(web, admin):
    body = {"name": "ci", "scope": "read"}
    first = post(admin, "/v1/tokens", body)
    assert post(admin, "/v1/tokens", body).json["token"] == first.json["token"]
    _, prefix, secret = first.json["token"].split("_", 2)
    with web.stack.db.read() as session:
        tables = session.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        rows = [row for table in tables for row in session.execute(text(f"SELECT * FROM {table}"))]
    assert prefix in str(rows)
    assert secret not in str(rows)


def test_an_answer_is_kept_for_a_day(web, hello):
    first = post(hello, DEPLOYMENTS, IMAGE)
    web.stack.clock.jump(24 * 3600)
    sweeps.clean(web.stack.worker)
    assert post(hello, DEPLOYMENTS, IMAGE).data == first.data
    web.stack.clock.jump(1)
    sweeps.clean(web.stack.worker)
    assert count(web, "kept_answers") == 0
    assert post(hello, DEPLOYMENTS, IMAGE).json["number"] == 2


# At the same moment


def test_of_ten_at_once_one_is_done(web, hello):
    answers = threads(*[lambda: post(hello, DEPLOYMENTS, GIT)] * 10)
    assert {answer.status_code for answer in answers} <= {202, 409}
    done = [answer for answer in answers if answer.status_code == 202]
    assert {answer.json["number"] for answer in done} == {1}
    assert ["Idempotent-Replayed" in answer.headers for answer in done].count(False) == 1
    assert count(web, "deployments") == 1


def test_a_repeat_while_the_first_still_runs_is_a_409(web, hello, monkeypatch):
    inside, go_on = threading.Event(), threading.Event()

    def hold(*_):
        inside.set()
        assert go_on.wait(30)

    monkeypatch.setattr(web.stack.services.git, "check", hold)
    first = []
    running = threading.Thread(target=lambda: first.append(post(hello, DEPLOYMENTS, GIT)))
    running.start()
    assert inside.wait(30)
    repeat = post(hello, DEPLOYMENTS, GIT)
    assert (repeat.status_code, repeat.json["code"], repeat.headers["Retry-After"]) == (409, "still_running", "2")
    assert post(hello, DEPLOYMENTS, IMAGE, "another-key").status_code == 202
    go_on.set()
    running.join(30)
    assert post(hello, DEPLOYMENTS, GIT).data == first[0].data


def test_a_request_that_failed_holds_its_key_no_longer(web, hello, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("longshore_api.routes.deployments.deployments.create", lambda *_: 1 / 0)
        assert post(hello, DEPLOYMENTS, IMAGE).status_code == 500
    assert post(hello, DEPLOYMENTS, IMAGE).status_code == 202


def raced(web, caller, monkeypatch, path: str, *bodies: dict) -> list:
    """One request each to two web processes, both past their look for an earlier answer before either is done."""
    twin = another_process(web, caller)
    meet(monkeypatch, web.stack.services.db, "write")
    callers = zip((caller, twin), bodies, strict=True)
    return threads(*[lambda who=who, body=body: post(who, path, body) for who, body in callers])


@EVERY
def test_two_processes_at_once_do_it_once_and_answer_the_same(web, hello, monkeypatch, path, body, other):
    tables = ("apps", "deployments", "tokens", "runs")
    before = sum(count(web, table) for table in tables)
    one, two = raced(web, hello, monkeypatch, path, body, body)
    assert one.status_code == two.status_code in DONE
    assert (one.data, one.headers.get("Location")) == (two.data, two.headers.get("Location"))
    assert sorted("Idempotent-Replayed" in answer.headers for answer in (one, two)) == [False, True]
    assert sum(count(web, table) for table in tables) == before + (not path.endswith(("cancel", "lock", "scale")))


@EVERY
def test_two_processes_with_one_key_and_two_bodies_do_one(web, hello, monkeypatch, path, body, other):
    answers = raced(web, hello, monkeypatch, path, body, other)
    good, refused = sorted(answers, key=lambda answer: answer.status_code)
    assert good.status_code in DONE
    assert (refused.status_code, refused.json["code"]) == (422, "key_reused")
    assert count(web, "kept_answers") == 1


# Crashes


@EVERY
def test_what_was_committed_before_the_process_died_is_answered_by_the_next(web, hello, monkeypatch, path, body, other):
    class KilledError(BaseException):
        """Nothing of ours catches this."""

    def die(*_):
        raise KilledError

    before = count(web, "deployments")
    with monkeypatch.context() as dying:
        dying.setattr(idempotency.Rule, "answer", die)
        with pytest.raises(KilledError):
            post(hello, path, body)
    repeat = post(another_process(web, hello), path, body)
    assert (repeat.status_code, repeat.headers["Idempotent-Replayed"]) in [(status, "true") for status in DONE]
    assert count(web, "kept_answers") == 1
    assert count(web, "deployments") == before + path.endswith(("deployments", "rollback", "restart"))


def test_a_commit_that_was_not_confirmed_is_a_commit(web, hello, monkeypatch):
    def fail(*_):
        raise RuntimeError("after the commit")

    monkeypatch.setattr("longshore.services.deployments.pipeline.ring", fail)
    answer = post(hello, DEPLOYMENTS, IMAGE)
    assert (answer.status_code, answer.json["number"]) == (202, 1)


def test_what_was_not_committed_was_not_done(web, hello, monkeypatch):
    def fail(*_):
        raise RuntimeError("before the commit")

    with monkeypatch.context() as broken:
        broken.setattr(type(web.stack.services.box), "seal", fail)
        assert post(hello, DEPLOYMENTS, IMAGE).status_code == 500
    assert (count(web, "deployments"), count(web, "kept_answers")) == (0, 0)


# Uploads


def upload(caller, content: bytes, boundary: str = "x", name: str = "source.tar", key: str = "k-1", spec: str = "{}"):
    """A multipart body written by hand, with a boundary of its own."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="spec"\r\n\r\n{spec}\r\n'.encode(),
        f'--{boundary}\r\nContent-Disposition: form-data; name="source"; filename="{name}"\r\n\r\n'.encode(),
        content + f"\r\n--{boundary}--\r\n".encode(),
    ]
    kind = f"multipart/form-data; boundary={boundary}"
    return caller("POST", DEPLOYMENTS, data=b"".join(parts), content_type=kind, headers={"Idempotency-Key": key})


def test_an_upload_sent_again_is_the_same_though_its_boundary_is_not(web, hello, context):
    content = context({"Dockerfile": "FROM x\n", "big": "x" * 3 * 1024**2})
    spec = '{"config": {"port": 80, "replicas": 2}}'
    first = upload(hello, content, "one", spec=spec)
    repeat = upload(hello, content, "two", spec='{"config":{"replicas":2,"port":80}}')
    assert (first.status_code, repeat.status_code) == (202, 202)
    assert (repeat.data, repeat.headers["Idempotent-Replayed"]) == (first.data, "true")
    assert len(kept_uploads(web)) == 1
    web.stack.drive()
    assert hello("GET", f"{DEPLOYMENTS}/1").json["state"] == "succeeded"


def test_another_archive_or_another_spec_is_another_request(hello, context):
    content = context({"Dockerfile": "FROM x\n"})
    assert upload(hello, content).status_code == 202
    assert upload(hello, context({"Dockerfile": "FROM y\n"})).status_code == 422
    assert upload(hello, content, spec='{"config": {"port": 1}}').status_code == 422
    assert post(hello, DEPLOYMENTS, IMAGE).status_code == 422
    assert len(hello("GET", DEPLOYMENTS).json["items"]) == 1


def test_an_upload_that_loses_against_its_twin_leaves_nothing(web, hello, context, monkeypatch):
    content = context({"Dockerfile": "FROM x\n"})
    twin = another_process(web, hello)
    meet(monkeypatch, web.stack.services.files, "accept")
    one, two = threads(lambda: upload(hello, content, "one"), lambda: upload(twin, content, "two"))
    assert (one.status_code, one.data) == (two.status_code, two.data) == (202, one.data)
    assert len(kept_uploads(web)) == count(web, "deployments") == 1
    web.stack.drive()
    assert hello("GET", f"{DEPLOYMENTS}/1").json["state"] == "succeeded"


def test_an_upload_whose_deployment_is_refused_leaves_nothing(web, hello, context, monkeypatch):
    real = web.stack.services.files.accept

    def slow(path):
        hello("DELETE", "/v1/apps/hello")
        return real(path)

    monkeypatch.setattr(web.stack.services.files, "accept", slow)
    assert upload(hello, context({"Dockerfile": "FROM x\n"})).status_code == 409
    assert kept_uploads(web) == []


def test_an_upload_that_may_have_been_committed_stays_for_the_sweep_to_judge(web, hello, context, monkeypatch):
    def fail(*_):
        raise RuntimeError("nobody knows")

    monkeypatch.setattr("longshore_api.routes.deployments.deployments.create", fail)
    assert upload(hello, context({"Dockerfile": "FROM x\n"})).status_code == 500
    assert len(kept_uploads(web)) == 1


def test_a_key_reads_no_body_that_is_over_the_limit(web, hello, context):
    web.stack.settle(upload_limit=1000)
    small = another_process(web, hello)
    assert upload(small, b"x" * 10**6).status_code == 413
    assert count(web, "kept_answers") == 0


@pytest.mark.parametrize("depth", [500, 900, 960, 980, 5000])
def test_a_body_nested_beyond_reading_is_a_400_with_a_key_too(hello, depth):
    nested = '{"name": ' + "[" * depth + "]" * depth + "}"
    headers = {"Idempotency-Key": "k"}
    answer = hello("POST", "/v1/apps", data=nested, content_type="application/json", headers=headers)
    assert answer.status_code == 400
