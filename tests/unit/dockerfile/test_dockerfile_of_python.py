import pytest

from longshore.domain.dockerfile import BaseImages
from longshore.errors import AppError

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"


def test_flask_is_served_by_gunicorn_which_is_installed_besides(write, flask_app):
    written = write({"app.py": flask_app, "requirements.txt": "flask==3.1.0\n"})
    assert written.base_image == "python:3.13-slim"
    assert written.port == 8000
    assert 'CMD ["sh", "-c", "exec gunicorn --bind 0.0.0.0:$PORT --threads 8 app:app"]' in written.text
    assert "pip install gunicorn\n" in written.text
    assert "Flask object `app` in app.py -> gunicorn" in written.reasons
    assert "found requirements.txt" in written.reasons


def test_the_sample_app_with_its_main_guard_is_served_by_gunicorn(write, flask_app):
    source = f"{flask_app}if __name__ == '__main__':\n    app.run(host='0.0.0.0', port=80)\n"
    assert "exec gunicorn" in write({"app.py": source, "requirements.txt": "flask"}).text


def test_fastapi_is_served_by_uvicorn(write):
    text = write({"src/main.py": FASTAPI, "requirements.txt": "fastapi"}).text
    assert "exec uvicorn --host 0.0.0.0 --port $PORT main:app" in text
    assert "PYTHONPATH=/app:/app/src" in text


def test_a_factory_is_called_by_the_server(write):
    flask = "import flask\ndef create_app():\n    return flask.Flask('x')"
    fastapi = "import fastapi\ndef create_app():\n    return fastapi.FastAPI()"
    assert "'shop:create_app()'" in write({"shop/__init__.py": flask}).text
    assert "--factory shop:create_app" in write({"shop/__init__.py": fastapi}).text


@pytest.mark.parametrize(
    ("requirements", "installed"),
    [
        ("Flask\nGunicorn[gevent]>=20", False),
        ("gunicorn ; sys_platform == 'win32'", True),
        ("# gunicorn", True),
        ("gunicorn-extra", True),
        ("-r base.txt", False),
    ],
)
def test_the_server_is_installed_only_when_the_dependencies_do_not_name_it(write, flask_app, requirements, installed):
    files = {"app.py": flask_app, "requirements.txt": requirements, "base.txt": "gunicorn"}
    assert ("pip install gunicorn\n" in write(files).text) is installed


def test_the_framework_is_installed_when_no_file_names_any_dependency(write, flask_app):
    assert "pip install flask gunicorn\n" in write({"app.py": flask_app}).text


def test_the_web_line_of_the_procfile_is_the_command(write, flask_app):
    files = {"app.py": flask_app, "Procfile": "worker: x\nweb:  gunicorn 'a b:app' -b :$PORT\nweb: no"}
    assert """CMD ["sh", "-c", "exec gunicorn 'a b:app' -b :$PORT"]""" in write(files).text


@pytest.mark.parametrize("command", ["a && b", "a; b", "A=1 b", "cd x", "a | b", "exec a", "(a)"])
def test_only_a_simple_command_replaces_the_shell(write, command):
    assert f'CMD ["sh", "-c", "{command}"]' in write({"app.py": "", "Procfile": f"web: {command}"}).text


def test_quotes_in_a_procfile_cannot_end_the_command(write):
    files = {"app.py": "", "Procfile": 'web: python app.py "] \\'}
    assert write(files).text.endswith('CMD ["sh", "-c", "exec python app.py \\"] \\\\"]\n')


def test_control_characters_in_a_procfile_are_refused(write):
    with pytest.raises(AppError, match="control characters"):
        write({"app.py": "", "Procfile": "web: python\0 app.py"})


@pytest.mark.parametrize(
    ("files", "target"),
    [
        ({"shop/settings.py": "WSGI_APPLICATION = 'shop.web.app'", "shop/web.py": ""}, "shop.web:app"),
        ({"shop/settings.py": "WSGI_APPLICATION = 'gone.web.app'", "shop/wsgi.py": ""}, "shop.wsgi:application"),
        ({"aaa/wsgi.py": "", "shop/wsgi.py": ""}, "shop.wsgi:application"),
        ({"config/wsgi.py": ""}, "config.wsgi:application"),
        ({"shop/settings.py": ""}, "'django.core.wsgi:get_wsgi_application()'"),
    ],
)
def test_django_is_served_through_its_wsgi_module(write, files, target):
    text = write({"manage.py": MANAGE, "requirements.txt": "django", **files}).text
    assert f"--threads 8 {target}" in text
    assert ("DJANGO_SETTINGS_MODULE=shop.settings" in text) is ("django.core" in target)


def test_django_without_wsgi_but_with_asgi_is_served_by_uvicorn(write):
    assert "exec uvicorn" in write({"manage.py": MANAGE, "shop/asgi.py": ""}).text


def test_a_django_project_one_folder_down_is_importable(write):
    text = write({"site/manage.py": MANAGE, "site/shop/wsgi.py": ""}).text
    assert "shop.wsgi:application" in text
    assert "PYTHONPATH=/app:/app/site" in text


@pytest.mark.parametrize("file", ["app.py", "main.py"])
def test_a_program_without_a_web_object_is_run_by_python(write, file):
    text = write({file: "print(1)"}).text
    assert text.endswith(f'CMD ["python", "{file}"]\n')


def test_included_requirements_are_copied_with_their_folders(write, flask_app):
    files = {
        "app.py": flask_app,
        "requirements.txt": "-r requirements/prod.txt\n-c constraints.txt",
        "requirements/prod.txt": "-r base.txt",
        "requirements/base.txt": "-r prod.txt\nflask",
        "constraints.txt": "flask<4",
    }
    text = write(files).text
    assert "COPY requirements.txt ./\n" in text
    assert "COPY requirements/base.txt ./requirements/\n" in text
    assert "COPY requirements/prod.txt ./requirements/\n" in text
    assert "COPY constraints.txt ./\n" in text


@pytest.mark.parametrize("line", ["-e .", ".", "./lib", "x @ file:///app/x", "-r gone.txt", "lib/x.whl"])
def test_requirements_that_need_the_source_are_installed_after_it(write, flask_app, line):
    text = write({"app.py": flask_app, "requirements.txt": f"flask\n{line}"}).text
    assert text.index("COPY --chown=10001:10001 . .") < text.index("pip install -r")


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"uv.lock": "", "pyproject.toml": ""}, "uv sync --frozen --no-dev"),
        ({"poetry.lock": "", "pyproject.toml": ""}, "poetry install --only main"),
        ({"pyproject.toml": "[tool.poetry.dependencies]\nflask = '*'"}, "poetry install --only main"),
        ({"Pipfile": "", "Pipfile.lock": ""}, "pipenv sync"),
        ({"Pipfile": ""}, "pipenv install --skip-lock"),
        ({"Pipfile": "", "requirements.txt": ""}, "pip install -r requirements.txt"),
        ({"uv.lock": "", "pyproject.toml": "", "requirements.txt": ""}, "uv sync"),
        ({"pyproject.toml": "[project]\ndependencies = ['flask>=3 ; x']"}, "pip install 'flask>=3 ; x'"),
        ({"pyproject.toml": "[project]\ndynamic = ['dependencies']"}, "pip install .\n"),
        ({"pyproject.toml": "[build-system]\nbuild-backend = 'x'\n[project]"}, "pip install --no-deps .\n"),
    ],
)
def test_dependencies_are_installed_by_the_tool_that_names_them(write, flask_app, files, command):
    assert command in write({"app.py": flask_app, **files}).text


def test_a_pyproject_of_settings_only_names_no_dependencies(write, flask_app):
    text = write({"app.py": flask_app, "pyproject.toml": "[tool.ruff]\nline-length = 100"}).text
    assert "pip install flask gunicorn" in text


def test_an_image_without_a_placeholder_stays_as_it_is(write, flask_app):
    fixed = BaseImages("python:3.13-slim", "node:20-slim", "nginx:1")
    written = write({"app.py": flask_app, ".python-version": "3.12"}, fixed)
    assert written.base_image == "python:3.13-slim"
    assert "Python 3.12 from .python-version, but the base image is fixed: python:3.13-slim" in written.reasons
    assert "Python 3.13 by default" in write({"app.py": flask_app}, fixed).reasons
