import pytest

from longshore.domain.dockerfile.web_objects import find_web_object

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
FACTORY = "def create_app(config=None, *, debug=False):\n    from flask import Flask\n    return Flask(__name__)\n"


@pytest.mark.parametrize(
    ("source", "name", "framework", "interface"),
    [
        (FLASK, "app", "Flask", "wsgi"),
        (FASTAPI, "app", "FastAPI", "asgi"),
        ("import flask\nsite = flask.Flask('x')", "site", "Flask", "wsgi"),
        ("import flask as f\nsite: f.Flask = f.Flask('x')", "site", "Flask", "wsgi"),
        ("from flask import Flask as F\nsite = F('x')", "site", "Flask", "wsgi"),
        ("from starlette.applications import Starlette\nx = Starlette()", "x", "Starlette", "asgi"),
        ("import falcon.asgi\nx = falcon.asgi.App()", "x", "Falcon", "asgi"),
        ("import flask\ntry:\n  import x\nexcept ImportError:\n  a = flask.Flask('x')", "a", "Flask", "wsgi"),
        (f"{FASTAPI}admin = FastAPI()", "app", "FastAPI", "asgi"),
        ("from fastapi import FastAPI\nadmin = FastAPI()\napp = FastAPI()", "app", "FastAPI", "asgi"),
        (f"\ufeff{FLASK}", "app", "Flask", "wsgi"),
        (f"{FLASK}pattern = '\\d'", "app", "Flask", "wsgi"),
    ],
)
def test_an_object_is_found_by_where_its_class_was_imported_from(tree, source, name, framework, interface):
    found = find_web_object(tree({"app.py": source}))
    assert (found.module, found.name, found.factory) == ("app", name, False)
    assert (found.framework.name, found.framework.interface) == (framework, interface)


def test_a_main_guard_that_runs_the_development_server_does_not_matter(tree):
    guarded = f"{FLASK}if __name__ == '__main__':\n    app.run(host='0.0.0.0', port=80)\n"
    assert find_web_object(tree({"app.py": guarded})).name == "app"


@pytest.mark.parametrize(
    "source",
    [
        "from flask import Flask\nif __name__ == '__main__':\n    app = Flask('x')",
        "class Flask: ...\napp = Flask()",
        "from flask import Flask\ndef f():\n    app = Flask('x')",
        "def create_app(config):\n    import flask\n    return flask.Flask('x')",
        "def create_app(*, config):\n    import flask\n    return flask.Flask('x')",
        "async def create_app():\n    import flask\n    return flask.Flask('x')",
        "from flask import Flask\napp = Flask(",
        "\0",
        "(" * 5000,
        "x = " + "-" * 50_000 + "1",
        "x = " + "1+" * 50_000 + "1",
        "print 'Python 2'",
    ],
)
def test_what_an_import_does_not_make_is_not_found(tree, source):
    assert find_web_object(tree({"app.py": source})) is None


@pytest.mark.parametrize(
    ("path", "module", "import_paths"),
    [
        ("app.py", "app", ()),
        ("anything.py", "anything", ()),
        ("src/main.py", "main", ("src",)),
        ("src/shop/main.py", "shop.main", ("src", "src/shop")),
        ("shop/__init__.py", "shop", ()),
        ("shop/web/asgi.py", "shop.web.asgi", ("shop/web",)),
        ("backend/main.py", "backend.main", ("backend",)),
        ("app/app.py", "app.app", ()),
        ("my-shop/app.py", "app", ("my-shop",)),
    ],
)
def test_the_module_is_named_as_the_server_will_import_it(tree, path, module, import_paths):
    found = find_web_object(tree({path: FLASK}))
    assert (found.module, found.import_paths) == (module, import_paths)


def test_a_package_needs_no_folder_of_its_own_on_the_path(tree):
    found = find_web_object(tree({"src/shop/__init__.py": "", "src/shop/main.py": FLASK}))
    assert (found.module, found.import_paths) == ("shop.main", ("src",))


def test_src_that_is_a_package_keeps_its_name(tree):
    found = find_web_object(tree({"src/__init__.py": "", "src/main.py": FLASK}))
    assert (found.module, found.import_paths) == ("src.main", ())


@pytest.mark.parametrize(
    "path",
    [
        "tests/app.py",
        "test_app.py",
        "conftest.py",
        "venv/lib/app.py",
        ".venv/app.py",
        "node_modules/gyp/app.py",
        "a/b/c/app.py",
        "my-app.py",
        "app.txt",
    ],
)
def test_tests_environments_and_what_lies_deep_are_not_searched(tree, path):
    assert find_web_object(tree({path: FLASK})) is None


@pytest.mark.parametrize(
    ("files", "target"),
    [
        ({"app.py": FLASK, "wsgi.py": FLASK}, "wsgi:app"),
        ({"zoo.py": FLASK, "shop/app.py": FLASK}, "shop.app:app"),
        ({"app.py": FACTORY, "shop/main.py": FLASK}, "shop.main:app"),
        ({"app.py": FACTORY, "zoo.py": FLASK}, "app:create_app"),
        ({"shop/__init__.py": FACTORY}, "shop:create_app"),
        ({"shop/__init__.py": FACTORY, "wsgi.py": "from shop import create_app\nx = create_app()"}, "wsgi:x"),
        ({"app.py": f"{FACTORY}app = create_app()"}, "app:app"),
    ],
)
def test_usual_files_then_shallow_ones_then_objects_come_first(tree, files, target):
    found = find_web_object(tree(files))
    assert f"{found.module}:{found.name}" == target
