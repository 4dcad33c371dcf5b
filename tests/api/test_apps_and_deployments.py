"""Apps and deployments over HTTP: declared, asked for, uploaded, shown in pages."""

import io
import zipfile

import pytest

FILES = {"Dockerfile": "FROM python:3.13-slim\nCOPY . .\n", "app.py": "print('hello')\n"}


def upload(caller, content: bytes, name: str = "source.tar", **fields):
    data = {"source": (io.BytesIO(content), name), **fields}
    return caller("POST", "/v1/apps/hello/deployments", data=data, content_type="multipart/form-data")


def kept(web) -> list[str]:
    folder = web.stack.settings.root / "uploads"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def zip_of(files: dict[str, str]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return raw.getvalue()


# Apps


def test_an_app_is_declared_and_shown(admin):
    body = {"name": "hello", "port": 5000, "env": {"PASSWORD": "hunter22"}, "resources": {"memory": "256m"}}
    answer = admin("POST", "/v1/apps", json=body)
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/apps/hello")
    shown = admin("GET", "/v1/apps/hello").json
    assert shown == answer.json
    assert (shown["state"], shown["port"], shown["env_keys"]) == ("new", 5000, ["PASSWORD"])
    assert shown["resources"]["memory"] == 256 * 1024**2
    assert "hunter22" not in answer.text


def test_what_belongs_to_the_app_changes_at_once(hello):
    answer = hello("PATCH", "/v1/apps/hello", json={"domains": ["shop.example.com"], "weight": 2})
    assert (answer.status_code, answer.json["domains"], answer.json["weight"]) == (200, ["shop.example.com"], 2)
    assert hello("PATCH", "/v1/apps/hello", json={"domains": None}).json["domains"] == ["hello.localhost"]


def test_what_belongs_to_a_release_is_a_deployment_once_one_is_live(web, hello):
    assert hello("PATCH", "/v1/apps/hello", json={"env": {"A": "1"}}).status_code == 200
    web.stack.deploy()
    web.stack.drive()
    answer = hello("PATCH", "/v1/apps/hello", json={"env": {"A": None, "B": "2"}, "replicas": 2})
    assert (answer.status_code, answer.headers["Location"]) == (202, "/v1/apps/hello/deployments/2")
    web.stack.drive()
    assert hello("GET", "/v1/apps/hello").json["env_keys"] == ["B"]
    assert len(hello("GET", "/v1/apps/hello/replicas").json["items"]) == 2


def test_a_deleted_app_is_gone_when_its_containers_are(web, hello):
    assert hello("DELETE", "/v1/apps/hello").json["state"] == "deleting"
    web.stack.drive()
    assert hello("GET", "/v1/apps/hello").status_code == 404


# Deployments


def test_a_deployment_is_accepted_with_its_number(web, hello):
    answer = hello("POST", "/v1/apps/hello/deployments", json={"source": {"image": "nginx:1"}})
    assert (answer.status_code, answer.json["id"]) == (202, "hello#1")
    assert answer.headers["Location"] == "/v1/apps/hello/deployments/1"
    assert (answer.json["state"], answer.json["trigger"]) == ("queued", "api")
    assert [m.label for m in web.stack.queue.messages] == ["hello#1"]


def test_a_deployment_is_accepted_while_redis_is_down(web, hello):
    web.stack.queue.down = True
    answer = hello("POST", "/v1/apps/hello/deployments", json={"source": {"image": "nginx:1"}})
    assert answer.status_code == 202
    assert "redis" in hello("GET", "/v1/apps/hello/deployments/1").json["why"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"source": {"image": "nginx"}, "release": 1},
        {"source": {"git": {"url": "http://example.com/x.git"}}},
        {"source": {"image": "nginx", "git": {"url": "https://example.com/x"}}},
        {"source": {"image": "nginx"}, "config": {"port": 0}},
        {"source": {"image": "nginx"}, "trigger": "chat"},
        {"release": 0},
    ],
    ids=repr,
)
def test_a_deployment_that_cannot_be_is_refused(hello, body):
    assert hello("POST", "/v1/apps/hello/deployments", json=body).status_code == 400
    assert hello("GET", "/v1/apps/hello/deployments").json["items"] == []


def test_a_release_that_is_not_there_is_a_404(hello):
    assert hello("POST", "/v1/apps/hello/deployments", json={"release": 3}).status_code == 404


@pytest.mark.parametrize("form", ["tar", "tar.gz", "zip"])
def test_an_upload_is_built_and_served(web, hello, context, form):
    content = {"tar": context(FILES), "tar.gz": context(FILES, "w:gz"), "zip": zip_of(FILES)}[form]
    answer = upload(hello, content, f"source.{form}", spec='{"config": {"env": {"A": "1"}}}')
    assert (answer.status_code, answer.json["source"]) == (202, {"upload": f"source.{form}"})
    web.stack.drive()
    assert hello("GET", "/v1/apps/hello/deployments/1").json["state"] == "succeeded"
    assert web.stack.engine.specs["longshore.hello.g1.web.1"].env["A"] == "1"


def bad_archives(context) -> dict[str, bytes]:
    good = context(FILES)
    return {
        "nothing": b"",
        "no archive": b"hello" * 1000,
        "half a gzip": context(FILES, "w:gz")[:40],
        "half a tar": good[:700],
        "a way out": context({"../evil": "x"}),
        "a zip with a way out": zip_of({"../../evil": "x"}),
    }


@pytest.mark.parametrize("what", ["nothing", "no archive", "half a gzip", "half a tar", "a way out"])
def test_a_bad_archive_is_a_400_and_leaves_nothing(web, hello, context, what):
    answer = upload(hello, bad_archives(context)[what])
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert kept(web) == []
    assert hello("GET", "/v1/apps/hello/deployments").json["items"] == []


def test_an_upload_without_its_field_is_a_400(hello):
    answer = hello(
        "POST", "/v1/apps/hello/deployments", data={"spec": "{}"}, content_type="multipart/form-data; boundary=x"
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("spec", ["{", '{"release": 1}', '{"source": {"image": "x"}}', "[]", '{"nonsense": 1}'])
def test_a_bad_spec_beside_an_upload_is_a_400_and_leaves_nothing(web, hello, context, spec):
    assert upload(hello, context(FILES), spec=spec).status_code == 400
    assert kept(web) == []


def test_an_upload_that_unpacks_to_too_much_is_a_413(make_stack, context):
    from longshore_api.app import create_app

    from longshore.services import tokens

    stack = make_stack(unpacked_limit=1000)
    stack.create()
    _, token = tokens.create(stack.services, "t", tokens.Scope.ADMIN)
    data = {"source": (io.BytesIO(context({"big": "x" * 5000}, "w:gz")), "a.tar.gz")}
    answer = (
        create_app(stack.services)
        .test_client()
        .post("/v1/apps/hello/deployments", data=data, headers={"Authorization": f"Bearer {token}"})
    )
    assert (answer.status_code, answer.json["code"]) == (413, "archive_too_large")


def test_an_upload_to_an_app_that_is_not_there_is_a_404(admin, context):
    data = {"source": (io.BytesIO(context(FILES)), "a.tar")}
    answer = admin("POST", "/v1/apps/nothere/deployments", data=data, content_type="multipart/form-data")
    assert answer.status_code == 404


# Lists


def test_deployments_come_in_pages(web, hello):
    for _ in range(5):
        web.stack.deploy()
    first = hello("GET", "/v1/apps/hello/deployments?limit=3").json
    second = hello("GET", f"/v1/apps/hello/deployments?limit=3&cursor={first['next_cursor']}").json
    assert [one["number"] for one in first["items"] + second["items"]] == [5, 4, 3, 2, 1]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("what", ["deployments", "releases", "replicas", "deployments/1/events"])
def test_every_list_has_items_and_a_cursor(web, hello, what):
    web.stack.deploy()
    web.stack.drive()
    page = hello("GET", f"/v1/apps/hello/{what}").json
    assert set(page) == {"items", "next_cursor"}
    assert page["items"]


def test_a_replica_says_where_it_stands_and_whether_it_is_live(web, hello):
    web.stack.deploy()
    web.stack.drive()
    (replica,) = hello("GET", "/v1/apps/hello/replicas").json["items"]
    assert (replica["name"], replica["live"], replica["port"]) == ("longshore.hello.g1.web.1", True, 80)


# Tokens


def test_a_token_is_shown_once_and_opens_until_it_is_revoked(admin, web):
    made = admin("POST", "/v1/tokens", json={"name": "ci", "scope": "read"}).json
    asking = {"path": "/v1/apps", "headers": {"Authorization": f"Bearer {made['token']}"}}
    assert web.test_client().get(**asking).status_code == 200
    assert made["token"] not in admin("GET", "/v1/tokens").text
    assert admin("DELETE", "/v1/tokens/ci").status_code == 204
    assert web.test_client().get(**asking).status_code == 401
