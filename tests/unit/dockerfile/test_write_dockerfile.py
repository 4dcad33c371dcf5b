import json
import time

import pytest

from longshore.errors import AppError, Fault

NODE = '{"scripts": {"start": "node server.js"}}'


def test_what_is_not_recognised_is_told_with_what_was_looked_for(write):
    with pytest.raises(AppError, match=r"Procfile.*manage\.py.*create_app.*package\.json.*index\.html") as caught:
        write({"README.md": "", "lib.rs": ""})
    assert caught.value.code == "not_recognised"
    assert caught.value.fault is Fault.APP
    assert "Dockerfile" in caught.value.hint


@pytest.mark.parametrize("files", [{}, {"requirements.txt": "flask"}, {"Procfile": "web: ./serve"}])
def test_nothing_to_start_is_not_recognised(write, files):
    with pytest.raises(AppError, match="Looked for"):
        write(files)


@pytest.mark.parametrize(
    ("files", "language"),
    [
        ({"app.py": "from flask import Flask\nx = Flask('x')"}, "python"),
        ({"Procfile": "web: python serve.py", "requirements.txt": ""}, "python"),
        ({"Procfile": "web: npm run serve", "requirements.txt": ""}, "node"),
        ({"manage.py": "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'a.b'", "requirements.txt": ""}, "python"),
        ({"requirements.txt": "", "tool.py": "", "app.py": "print(1)"}, "node"),
        ({"index.html": ""}, "node"),
    ],
)
def test_beside_package_json_a_python_web_program_wins_and_nothing_else(write, files, language):
    assert write({**files, "package.json": NODE}).language == language


@pytest.mark.parametrize(
    "files",
    [{"app.py": "from flask import Flask\napp = Flask('x')"}, {"package.json": NODE}, {"index.html": ""}],
)
def test_every_dockerfile_keeps_the_shared_promises(write, files):
    written = write(files)
    lines = written.text.splitlines()
    assert lines[0] == f"FROM {written.base_image}"
    assert lines[-3:-1] == ["USER 10001:10001", f"EXPOSE {written.port}"]
    assert lines[-1].startswith('CMD ["')
    assert f"PORT={written.port}" in written.text
    assert "syntax=" not in written.text
    assert all(reason.isprintable() for reason in written.reasons)


def test_dependencies_are_installed_before_the_source_is_copied(write, flask_app):
    for files in (
        {"app.py": flask_app, "requirements.txt": "flask"},
        {"app.py": flask_app, "pyproject.toml": '[project]\ndependencies = ["flask"]'},
        {"package.json": NODE},
    ):
        text = write(files).text
        assert text.index("RUN --mount=type=cache") < text.index("COPY --chown=10001:10001 . .")


HOSTILE = 'x"]\nRUN evil\n# escape=`\n\\\n$(evil) `evil` ${evil} <<EVIL'


@pytest.mark.parametrize(
    "files",
    [
        {".python-version": HOSTILE},
        {".python-version": "3.12\nRUN evil"},
        {"runtime.txt": "python-3.12 evil"},
        {"pyproject.toml": "[project]\nrequires-python = '''3.12\nRUN evil'''"},
        {"pyproject.toml": "[project]\ndependencies = ['''flask\nRUN evil''']"},
        {"pyproject.toml": "[project]\ndependencies = ['flask $(evil)', 'x<<EVIL']"},
        {"requirements.txt": HOSTILE},
        {"requirements.txt": "-r evil.txt\\\n", "evil.txt\\": ""},
        {"requirements.txt": "-r ../evil.txt\n-c /evil", "../evil.txt": ""},
        {"requirements.txt": "-r a/RUN evil.txt", "a/RUN evil.txt": ""},
        {"Pipfile": "[packages]\n'evil\\nRUN evil' = '*'\n[requires]\npython_version = 'evil'"},
        {"poetry.lock": HOSTILE, "pyproject.toml": "[tool.poetry.dependencies]\n'RUN evil' = '*'"},
        {"uv.lock": HOSTILE, "pyproject.toml": HOSTILE},
        {"evil\nRUN evil/wsgi.py": "from flask import Flask\napp = Flask('x')"},
        {"RUN evil/app.py": "from flask import Flask\napp = Flask('x')"},
        {"RUN evil/manage.py": "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'evil'"},
        {"manage.py": "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'a\\nRUN evil'"},
    ],
)
def test_hostile_python_files_add_no_instructions(write, flask_app, files):
    try:
        text = write({"zzz.py": flask_app, **files}).text
    except AppError:
        return
    assert "evil" not in text.lower()


@pytest.mark.parametrize("start", ["node a.js\nRUN evil", 'node "evil"', "node $(evil)", "evil"])
def test_a_hostile_package_json_adds_no_instructions(write, start):
    package = {"scripts": {"start": start}, "engines": {"node": "20\nRUN evil"}, "name": "evil"}
    text = write({"package.json": json.dumps(package), ".nvmrc": "20\\\nRUN evil"}).text
    assert "evil" not in text
    assert text.endswith('CMD ["npm", "start"]\n')


@pytest.mark.parametrize("content", ["{", "[]", "null", '{"scripts": []}', '{"scripts": {"start": 1}}', "[" * 100_000])
def test_a_broken_package_json_is_not_recognised(write, content):
    with pytest.raises(AppError):
        write({"package.json": content})


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": f"[project]\ndependencies = ['{'a' * 200_000}$']"},
        {"requirements.txt": "a" * 200_000 + "$"},
        {f"pkg/m{number}.py": "x = 1\n" * 40_000 for number in range(20)},
        {"Procfile": "web: " + "a" * 200_000},
        {"deep.py": "if 0:\n  pass\n" + "elif 1:\n  pass\n" * 900},
    ],
)
def test_a_tree_made_to_be_slow_is_done_in_seconds(write, flask_app, files):
    started = time.monotonic()
    write({"app.py": flask_app, **files})
    assert time.monotonic() - started < 10
