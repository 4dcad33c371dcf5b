import json

import pytest


def package(**content):
    return json.dumps({"scripts": {"start": "node server.js"}, **content})


@pytest.mark.parametrize(
    ("scripts", "command"),
    [
        ({"start": "node server.js"}, '["node", "server.js"]'),
        ({"start": "node --trace-warnings src/a-b.mjs"}, '["node", "--trace-warnings", "src/a-b.mjs"]'),
        ({"start": "node server.js", "prestart": "x"}, '["npm", "start"]'),
        ({"start": "node a.js && node b.js"}, '["npm", "start"]'),
        ({"start": "next start"}, '["npm", "start"]'),
    ],
)
def test_a_plain_node_command_runs_without_npm(write, scripts, command):
    assert write({"package.json": package(scripts=scripts)}).text.endswith(f"CMD {command}\n")


@pytest.mark.parametrize(
    ("files", "install", "copied"),
    [
        ({}, "npm install --no-audit --no-fund --omit=dev", "COPY package.json ./"),
        ({"package-lock.json": ""}, "npm ci --no-audit --no-fund --omit=dev", "COPY package.json package-lock.json ./"),
        ({"npm-shrinkwrap.json": "", ".npmrc": ""}, "npm ci", "COPY package.json npm-shrinkwrap.json .npmrc ./"),
    ],
)
def test_a_lock_is_installed_exactly(write, files, install, copied):
    text = write({"package.json": package(), **files}).text
    assert install in text
    assert copied in text


def test_a_build_script_is_run_with_development_dependencies_which_are_then_removed(write):
    text = write({"package.json": package(scripts={"start": "x", "build": "tsc"})}).text
    assert text.index("--include=dev") < text.index("npm run build && npm prune --omit=dev") < text.index("NODE_ENV")


@pytest.mark.parametrize(
    "content",
    [
        {"workspaces": ["a"]},
        {"dependencies": {"a": "file:../a"}},
        {"scripts": {"start": "x", "postinstall": "prisma generate"}},
    ],
)
def test_what_needs_the_source_is_installed_after_it(write, content):
    text = write({"package.json": package(**content)}).text
    assert text.index("COPY --chown=10001:10001 . .") < text.index("npm install")
    assert text.count("COPY") == 1


@pytest.mark.parametrize(
    ("files", "image"),
    [
        ({"package.json": package()}, "node:20-slim"),
        ({"package.json": package(), ".nvmrc": "v22.1.0\n"}, "node:22-slim"),
        ({"package.json": package(), ".nvmrc": "lts/iron"}, "node:20-slim"),
        ({"package.json": package(engines={"node": ">=18"})}, "node:20-slim"),
        ({"package.json": package(engines={"node": ">=22"})}, "node:22-slim"),
        ({"package.json": package(engines={"node": "18.x"})}, "node:18-slim"),
    ],
)
def test_the_version_is_the_one_asked_for(write, files, image):
    assert write(files).base_image == image


def test_a_procfile_wins_over_the_start_script(write):
    text = write({"package.json": package(), "Procfile": "web: node other.js"}).text
    assert text.endswith('CMD ["sh", "-c", "exec node other.js"]\n')
