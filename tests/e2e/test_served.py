"""What is handed over is served: every kind of source, from the request to an answer through the router."""

import base64
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gitserver
import httpx
import projects
import pytest
from harness import REPOSITORY, Stack, docker, until

SECRET = "s3cret/value+that=stays?here"
JOBS = ["build", "push", "deploy", "health_check", "drain"]


@pytest.fixture(scope="module")
def hello(stack: Stack) -> str:
    """The sample app, deployed once, with a secret in its environment."""
    view = stack.deployed("hello", REPOSITORY / "sample_app", env={"SECRET": SECRET})
    assert (view["id"], view["error"]) == ("hello#1", None)
    return "hello"


def test_the_sample_app_handed_over_by_http_says_hello(stack: Stack, hello: str) -> None:
    assert stack.text(hello) == "Hello, World!"
    assert stack.view("/v1/apps/hello")["state"] == "running"


def test_an_app_learns_who_asks_and_believes_nobody_about_it(stack: Stack) -> None:
    stack.deployed("echo", projects.echo())
    with httpx.Client(trust_env=False) as client:
        claims = {"host": "echo.localhost", "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
        told = client.get(f"http://127.0.0.1:{stack.router_port}/", headers=claims).text.lower().splitlines()
    assert {"x-forwarded-for: 127.0.0.1", "x-real-ip: 127.0.0.1", "x-forwarded-proto: http"} <= set(told)


def test_the_database_tells_it(stack: Stack, hello: str) -> None:
    query = (
        "SELECT d.state, r.number, j.kind, j.state FROM deployments d JOIN apps a ON a.id = d.app_id"
        " JOIN releases r ON r.id = d.release_id JOIN jobs j ON j.deployment_id = d.id"
        " WHERE a.name = 'hello' AND d.number = 1 ORDER BY j.id"
    )
    assert sorted(stack.rows(query)) == sorted(("succeeded", 1, kind, "succeeded") for kind in JOBS)


def test_the_registry_tells_it(stack: Stack, hello: str) -> None:
    registry = f"http://{stack.registry}/v2"
    release = stack.view("/v1/apps/hello/releases")["items"][0]
    assert hello in httpx.get(f"{registry}/_catalog", trust_env=False).json()["repositories"]
    assert httpx.get(f"{registry}/hello/tags/list", trust_env=False).json()["tags"] == ["1"]
    accept = {
        "accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    }
    manifest = httpx.head(f"{registry}/hello/manifests/1", headers=accept, trust_env=False)
    assert manifest.headers["docker-content-digest"] == release["digest"]


def test_docker_ps_tells_it(stack: Stack, hello: str) -> None:
    (container,) = stack.ps(hello)
    labels = dict(label.split("=", 1) for label in container["Labels"].split(","))
    ours = {key.removeprefix("longshore."): value for key, value in labels.items() if key.startswith("longshore.")}
    told = {"stack": stack.name, "app": "hello", "release": "1", "generation": "1", "process": "web", "slot": "1"}
    assert told.items() <= ours.items()
    assert container["Names"] == f"{stack.name}.hello.g1.web.1"
    release = stack.view("/v1/apps/hello/releases")["items"][0]
    assert docker("inspect", "--format", "{{.Image}}", container["ID"]) == release["image_id"]


def test_the_router_tells_it(stack: Stack, hello: str) -> None:
    rows = [line.split(",") for line in stack.router("show stat").splitlines()]
    servers = {(row[0], row[1]): row[17] for row in rows if row[0].startswith("hello_") and row[1] != "BACKEND"}
    assert list(servers) == [("hello_a", "g1.web.1")]
    assert servers["hello_a", "g1.web.1"].startswith("UP")


def test_flower_tells_it_in_words_for_people(stack: Stack, hello: str) -> None:
    tasks = until(lambda: found if len(found := stack.tasks("hello#1")) == len(JOBS) else None, what="five tasks")
    assert set(tasks) == {f"longshore.{kind}" for kind in JOBS}
    assert all(task["args"] == "hello#1" for task in tasks.values())
    until(lambda: {task["state"] for task in stack.tasks("hello#1").values()} == {"SUCCESS"}, what="all succeeded")


@pytest.mark.parametrize("password", ["", "wrong"])
def test_flower_shows_nothing_without_its_password(stack: Stack, password: str) -> None:
    assert stack.flower("/api/tasks", password).status_code == 401


def test_a_secret_is_found_in_no_part(stack: Stack, hello: str, app: str) -> None:
    """Not even after the app itself has shouted it."""
    shout = "import base64, os, urllib.parse as u\ns = os.environ['SECRET']\n"
    shout += "print(s, base64.b64encode(s.encode()).decode(), u.quote(s, safe=''), flush=True)\nraise SystemExit(3)\n"
    view = stack.deploy(app, projects.program(shout), env={"SECRET": SECRET})
    assert view["error"]["code"] == "exited"
    with stack.redis() as redis:
        dumps = b"".join(redis.dump(key) or b"" for key in redis.scan_iter())
    places = {path.name: path.read_bytes() for path in [*stack.home.glob("longshore.db*"), *stack.home.glob("logs/*")]}
    places |= {"redis": dumps, "flower": stack.flower("/api/tasks").content, "log": stack.log(view).encode()}
    places["views"] = json.dumps([view, stack.view("/v1/apps/hello"), stack.view("/v1/apps/hello/releases")]).encode()
    forms = {SECRET, base64.b64encode(SECRET.encode()).decode(), "s3cret%2Fvalue%2Bthat%3Dstays%3Fhere"}
    assert [(place, form) for place, seen in places.items() for form in forms if form.encode() in seen] == []
    assert "longshore.db" in places
    assert "worker.log" in places


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("files", "says"),
    [
        pytest.param(projects.DJANGO, "Django serves", id="django"),
        pytest.param(projects.FASTAPI, "FastAPI serves", id="fastapi"),
        pytest.param(projects.STATIC, "<h1>Files are served</h1>", id="static"),
        pytest.param(projects.NODE, "Node serves 60000", id="node"),
    ],
)
def test_a_project_without_a_dockerfile_is_served(stack: Stack, app: str, files: dict[str, str], says: str) -> None:
    stack.deployed(app, files)
    assert stack.text(app) == says
    assert "FROM " in stack.view(f"/v1/apps/{app}/releases")["items"][0]["dockerfile"]


def test_a_git_repository_is_served_at_the_ref_asked_for(stack: Stack, app: str, tmp_path: Path) -> None:
    first = gitserver.commit(tmp_path / "shop", projects.web("first commit"))
    gitserver.commit(tmp_path / "shop", projects.web("second commit"))
    with gitserver.serving(tmp_path) as address:
        stack.deployed(app, {"git": {"url": f"{address}/shop"}})
        assert stack.text(app) == "second commit"
        stack.deployed(app, {"git": {"url": f"{address}/shop", "ref": first}})
    assert stack.text(app) == "first commit"
    assert stack.view(f"/v1/apps/{app}/releases")["items"][0]["source"]["commit"] == first


def test_an_image_of_the_registry_is_pulled_and_served(stack: Stack, app: str) -> None:
    reference = f"{stack.registry}/tools/{app}:1"
    docker("tag", "nginx:1", reference)
    docker("push", "-q", reference)
    docker("rmi", reference)
    view = stack.deployed(app, {"image": reference})
    assert "nginx" in stack.text(app)
    assert [job["kind"] for job in view["jobs"]] == ["deploy", "health_check", "drain"]
    assert stack.view(f"/v1/apps/{app}/releases")["items"][0]["digest"].startswith("sha256:")


def test_an_older_release_is_served_again_with_its_configuration(stack: Stack, app: str) -> None:
    telling = projects.web("?")
    telling["app.py"] = telling["app.py"].replace("'?'", "os.environ['WHO']")
    stack.deployed(app, telling, env={"WHO": "one"})
    stack.deployed(app, telling, env={"WHO": "two"})
    assert stack.text(app) == "two"
    view = stack.deployed(app, {"release": 1})
    assert stack.text(app) == "one"
    assert (view["number"], view["release"], len(stack.containers(app))) == (3, 1, 1)


def test_the_only_other_port_that_listens_is_used_and_remembered(stack: Stack, app: str) -> None:
    stack.deployed(app, projects.listening_on(8123))
    assert stack.text(app) == "elsewhere"
    assert stack.view(f"/v1/apps/{app}")["port"] == 8123


def test_a_build_tells_its_steps(stack: Stack, app: str) -> None:
    files = projects.web("steps")
    stack.deployed(app, files)
    again = stack.deployed(app, files)
    (build,) = [job for job in again["jobs"] if job["kind"] == "build"]
    told = {step["name"]: step["cached"] for step in build["steps"]}
    assert any(re.search(r"COPY \. \.", name) and cached for name, cached in told.items()), told


@pytest.mark.timeout(120)
def test_ten_apps_deployed_at_once_all_succeed(stack: Stack, name: Callable[[], str]) -> None:
    names = [name() for _ in range(10)]
    with ThreadPoolExecutor(10) as pool:
        views = list(pool.map(lambda one: stack.deployed(one, projects.web(f"this is {one}")), names))
        assert [view["state"] for view in views] == ["succeeded"] * 10
        assert [stack.text(one) for one in names] == [f"this is {one}" for one in names]
        list(pool.map(stack.delete, names))


def test_a_deleted_app_is_gone_and_its_name_is_free(stack: Stack, app: str) -> None:
    stack.deployed(app, projects.web("before"))
    stack.delete(app)
    assert stack.containers(app) == []
    until(lambda: stack.get(f"{app}.localhost").status_code == 404, 5, "the route is gone")
    assert f"{app}_a" not in stack.router("show backend")
    view = stack.deployed(app, projects.web("after"))
    assert (view["number"], stack.text(app)) == (1, "after")
