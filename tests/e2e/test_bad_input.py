"""What is wrong gets a clear answer, and nothing half-made is left behind."""

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gitserver
import projects
import pytest
from harness import Stack, archive, until

SHORT = {"healthy_deadline": 3}


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: no containers of a failed app, no build folder, no upload on its way."""
    yield
    for fixture, one in request.node.funcargs.items():
        if fixture not in ("stack", "strict"):
            continue
        until(lambda one=one: not list((one.home / "builds").iterdir()), what="no build folder")
        assert list((one.home / "uploads").glob(".incoming-*")) == []
        if "app" in request.node.funcargs:
            assert one.containers(request.node.funcargs["app"]) == []


def refused(stack: Stack, app: str, source: object, **config: object) -> dict[str, object]:
    """The problem a deployment is refused with; no upload and no deployment is left of it."""
    stack.make(app)
    before = set((stack.home / "uploads").iterdir())
    answer = stack.send(app, source, **config)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert set((stack.home / "uploads").iterdir()) <= before
    assert stack.view(f"/v1/apps/{app}/deployments")["items"] == []
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return problem


def hostile(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    """An archive with one member nobody should unpack."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        tar.addfile(member)
    return packed.getvalue()


@pytest.mark.parametrize(
    "upload",
    [
        pytest.param(hostile("../outside"), id="parent"),
        pytest.param(hostile("/etc/outside"), id="absolute"),
        pytest.param(hostile("link", tarfile.SYMTYPE, "../../etc"), id="link-out"),
        pytest.param(hostile("hard", tarfile.LNKTYPE, "Dockerfile"), id="hard-link"),
        pytest.param(hostile("device", tarfile.CHRTYPE), id="device"),
        pytest.param(b"this is no archive", id="no-archive"),
    ],
)
def test_a_hostile_archive_is_refused(stack: Stack, app: str, upload: bytes) -> None:
    problem = refused(stack, app, upload)
    assert (problem["code"], problem["fault"]) == ("bad_archive", "request")


def test_an_upload_over_the_limit_is_refused_before_it_is_read(strict: Stack, name: Callable[[], str]) -> None:
    begin = time.monotonic()
    problem = refused(strict, name(), b"\0" * 20_000_000)
    assert (problem["status"], problem["code"]) == (413, "too_large")
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("url", ["--upload-pack=touch /tmp/x", "ext::sh -c id", "file:///etc", "/etc", "-u./x"])
def test_a_hostile_git_address_is_refused(stack: Stack, app: str, url: str) -> None:
    assert refused(stack, app, {"git": {"url": url}})["code"] == "bad_git_source"


@pytest.mark.parametrize("path", ["../Dockerfile", "/etc/passwd", "a/../../x"])
def test_a_dockerfile_outside_the_context_is_refused(stack: Stack, app: str, path: str) -> None:
    problem = refused(stack, app, projects.web("x"), build={"dockerfile": path})
    assert problem["status"] == 400
    assert "inside the source" in problem["detail"]


def test_a_body_that_is_not_json_is_refused(stack: Stack, app: str) -> None:
    stack.make(app)
    answer = stack.ask(
        "POST", f"/v1/apps/{app}/deployments", content=b"{not json", headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["fault"] == "request"


def test_a_body_of_another_kind_is_refused(stack: Stack, app: str) -> None:
    stack.make(app)
    answer = stack.ask("POST", f"/v1/apps/{app}/deployments", content=b"x", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_name_that_is_taken_is_refused(stack: Stack, app: str) -> None:
    assert stack.ask("POST", "/v1/apps", json={"name": app}).status_code == 201
    answer = stack.ask("POST", "/v1/apps", json={"name": app})
    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")


def test_without_a_token_nothing_but_health_and_documentation_answers(stack: Stack) -> None:
    until(lambda: not stack.readiness(), what="a stack whose parts all answer")  # a part may be busy for a moment
    with stack.client(None) as client:
        assert [client.get(path).status_code for path in ("/healthz", "/openapi.json")] == [200] * 2
        assert client.get("/readyz").json()["parts"]
        answers = [client.get("/v1/apps"), client.post("/v1/apps", json={"name": "x"}), client.get("/nowhere")]
    assert [answer.status_code for answer in answers] == [401] * 3


@pytest.mark.parametrize(
    ("files", "code", "words"),
    [
        pytest.param(projects.steps("RUN exit 3"), "build_failed", ["RUN exit 3", "exit code: 3"], id="failing-step"),
        pytest.param({"Dockerfile": "FRUM python\n"}, "build_failed", ["FRUM"], id="no-dockerfile-language"),
        pytest.param({"notes.md": "nothing to run"}, None, ["Dockerfile"], id="nothing-known"),
        pytest.param(projects.program("raise SystemExit(4)"), "exited", ["exited with code 4"], id="exits-at-once"),
        pytest.param(
            projects.program("import time\ntime.sleep(60)"), "not_listening", ["no port at all"], id="never-listens"
        ),
        pytest.param(
            projects.listening_on(8001, 8002), "not_listening", ["port 80 ", "ports 8001, 8002"], id="two-wrong-ports"
        ),
        pytest.param(
            projects.listening_on(80, host="127.0.0.1"), "not_listening", ["on loopback only"], id="loopback-only"
        ),
        pytest.param(
            {"Dockerfile": 'FROM python:3.13-slim\nCMD ["/no/such/program"]\n'},
            "cannot_start",
            ["exited with code 127"],
            id="no-such-program",
        ),
    ],
)
def test_an_app_at_fault_is_told_so(stack: Stack, app: str, files: dict[str, str], code: str, words: list[str]) -> None:
    view = stack.deploy(app, files, health_check=SHORT)
    assert (view["state"], view["error"]["fault"]) == ("failed", "app"), view["error"]
    assert code in (None, view["error"]["code"])
    said = view["error"]["message"] + (view["error"]["hint"] or "")
    assert [word for word in words if word not in said] == [], said
    assert view["error"]["hint"]


def test_an_image_that_does_not_exist_is_told_so(stack: Stack, app: str) -> None:
    view = stack.deploy(app, {"image": f"{stack.registry}/no/such:1"})
    assert (view["state"], view["error"]["code"]) == ("failed", "image_not_found")
    assert "no/such:1" in view["error"]["message"]


def test_a_ref_that_does_not_exist_is_told_so(stack: Stack, app: str, tmp_path: Path) -> None:
    gitserver.commit(tmp_path / "shop", {"README": "x"})
    with gitserver.serving(tmp_path) as address:
        view = stack.deploy(app, {"git": {"url": f"{address}/shop", "ref": "no-such-branch"}})
    assert (view["state"], view["error"]["code"]) == ("failed", "git_ref_not_found")
    assert "no-such-branch" in view["error"]["message"]


def test_a_git_host_that_never_answers_is_given_up_in_time(strict: Stack, name: Callable[[], str]) -> None:
    app = name()
    with gitserver.silent() as url:
        view = strict.deploy(app, {"git": {"url": url}})
    assert (view["state"], view["error"]["code"]) == ("failed", "git_unreachable")
    assert view["jobs"][0]["attempt"] == 2
    assert strict.containers(app) == []


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("while :; do head -c 2000 /dev/zero | tr '\\0' x; echo; sleep 0.02; done", id="steadily"),
        pytest.param("yes 0123456789abcdef", id="faster than the engine passes on"),
    ],
)
def test_a_build_that_prints_for_ever_is_ended_and_its_log_is_cut(
    strict: Stack, name: Callable[[], str], command: str
) -> None:
    view = strict.deploy(name(), projects.steps(f"RUN {command}"))
    assert (view["state"], view["error"]["code"]) == ("failed", "deadline"), view["error"]
    assert "longer than 5 s" in view["error"]["message"]
    log = strict.log(view)
    assert len(log) < 2 * strict.settings.log_limit
    assert "the rest was cut" in log


def test_a_build_that_is_silent_for_ever_is_ended(strict: Stack, name: Callable[[], str]) -> None:
    view = strict.deploy(name(), projects.steps("RUN sleep infinity"))
    assert (view["state"], view["error"]["code"]) == ("failed", "build_silent")


def test_ended_builds_do_not_go_on_in_the_engine(strict: Stack, name: Callable[[], str]) -> None:
    mark = f"sleep 7{int(time.time()) % 10_000:04d}"
    assert strict.deploy(name(), projects.steps(f"RUN {mark}"))["state"] == "failed"

    def running() -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found += [path.parent.name] if path.read_text().replace("\0", " ").strip() == mark else []
            except OSError:
                continue
        return found

    until(lambda: not running(), 10, "the build's process is gone")


def test_an_upload_is_gone_when_its_deployment_has_failed(stack: Stack, app: str) -> None:
    stack.deploy(app, archive(projects.steps("RUN exit 1")))
    sources = stack.rows(
        "SELECT d.source FROM deployments d JOIN apps a ON a.id = d.app_id WHERE a.name = ? AND a.removed_at IS NULL",
        app,
    )
    kept = [json.loads(source)["upload"] for (source,) in sources]
    assert len(kept) == 1
    until(lambda: not any((stack.home / "uploads" / f"{one}.tar").exists() for one in kept), what="the upload is gone")
