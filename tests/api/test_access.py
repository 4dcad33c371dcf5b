"""Who may do what: closed by default, told apart by scope, and blind to other apps."""

import pytest
from longshore_api import access
from longshore_api.app import create_app

PUBLIC = ["/healthz", "/readyz", "/openapi.json", "/docs"]
UNKNOWN = {"app": "other", "number": "1", "name": "nobody"}


def routes(app) -> list[tuple[str, str]]:
    """Every method and address that is not public, with values for its parts."""
    found = []
    for rule in app.url_map.iter_rules():
        if access.rule_of(app, rule.endpoint) == access.PUBLIC:
            continue
        path = rule.rule
        for part in rule.arguments:
            path = path.replace(f"<{part}>", UNKNOWN[part])
        found += [(method, path) for method in sorted(rule.methods)]
    return found


def test_every_route_has_a_rule(web):
    assert access.undeclared(web) == []


def test_every_route_and_method_needs_a_token(web):
    asked = routes(web)
    assert len(asked) > 20
    for method, path in asked:
        answer = web.test_client().open(path, method=method)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), (method, path)


@pytest.mark.parametrize("path", PUBLIC)
def test_these_answer_without_a_token(web, path):
    assert web.test_client().get(path).status_code != 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer lsh_a_b", "Bearer \xff"])
def test_what_is_no_token_is_refused(web, header):
    answer = web.test_client().get("/v1/apps", headers={"Authorization": header})
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


def test_a_path_that_is_not_there_needs_a_token_too(web, admin):
    assert web.test_client().get("/v1/nothing").status_code == 401
    assert admin("GET", "/v1/nothing").status_code == 404


def test_a_token_for_one_app_sees_no_other_on_any_route(web, as_):
    web.stack.create("other")
    web.stack.deploy("other")
    mine = as_("admin", app="hello")
    asked = [(method, path) for method, path in routes(web) if "/other" in path and method != "OPTIONS"]
    assert len(asked) > 8
    for method, path in asked:
        answer = mine(method, path, json={} if method in ("POST", "PATCH") else None)
        assert answer.status_code == 404, (method, path)


def test_to_a_token_for_one_app_another_looks_like_none_at_all(web, as_):
    web.stack.create("other")
    mine = as_("read", app="hello")
    there, nowhere = (mine("GET", f"/v1/apps/{name}").json for name in ("other", "nothere"))
    assert there["detail"].replace("other", "") == nowhere["detail"].replace("nothere", "")


def test_a_token_for_one_app_lists_that_one(web, as_):
    for name in ("hello", "other"):
        web.stack.create(name)
    assert [app["name"] for app in as_("read", app="hello")("GET", "/v1/apps").json["items"]] == ["hello"]


SCOPES = [
    ("read", "GET", "/v1/apps", 200),
    ("read", "GET", "/v1/apps/hello", 200),
    ("read", "POST", "/v1/apps", 403),
    ("read", "PATCH", "/v1/apps/hello", 403),
    ("read", "DELETE", "/v1/apps/hello", 403),
    ("read", "GET", "/v1/tokens", 403),
    ("deploy", "PATCH", "/v1/apps/hello", 200),
    ("deploy", "DELETE", "/v1/apps/hello", 403),
    ("deploy", "POST", "/v1/tokens", 403),
    ("admin", "GET", "/v1/tokens", 200),
    ("admin", "DELETE", "/v1/apps/hello", 202),
]


@pytest.mark.parametrize(("scope", "method", "path", "status"), SCOPES)
def test_a_scope_opens_what_it_is_for(web, as_, scope, method, path, status):
    web.stack.create()
    body = {} if method in ("POST", "PATCH") else None
    assert as_(scope)(method, path, json=body).status_code == status


def test_a_token_for_one_app_makes_no_app_and_no_token(as_):
    mine = as_("admin", app="hello")
    assert mine("POST", "/v1/apps", json={"name": "another"}).status_code == 403
    assert mine("POST", "/v1/tokens", json={"name": "x", "scope": "read"}).status_code == 403
    assert mine("GET", "/v1/tokens").status_code == 403


def test_a_route_that_says_nothing_answers_nobody(stack, as_):
    app = create_app(stack.services)
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    asking = as_()
    answer = app.test_client().get("/forgotten", headers=asking.headers)
    assert answer.status_code in (403, 404)
    assert access.undeclared(app) == ["/forgotten"]
