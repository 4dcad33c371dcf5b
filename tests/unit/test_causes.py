"""What a failure most likely comes from: real-looking output in, one sentence out."""

import time

import pytest

from longshore.domain.causes import RULES, Facts, most_likely
from longshore.domain.ports import Listener

PYTHON = """\
Traceback (most recent call last):
  File "/app/app.py", line 3, in <module>
    from flask import Flask
ModuleNotFoundError: No module named 'flask'"""
GUNICORN = """\
[2026-11-24 20:00:00 +0000] [7] [ERROR] Exception in worker process
  File "<frozen importlib._bootstrap>", line 1324, in _find_and_load_unlocked
ModuleNotFoundError: No module named 'shop.wsgi'
[2026-11-24 20:00:00 +0000] [1] [ERROR] Reason: Worker failed to boot."""
NODE = """\
node:internal/modules/cjs/loader:1228
  throw err;
Error: Cannot find module 'express'
Require stack:
- /app/server.js"""
NODE_FILE = "Error: Cannot find module '/app/server.js'\n    at Function._resolveFilename\n  code: 'MODULE_NOT_FOUND',"
NODE_ESM = "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'fastify' imported from /app/index.mjs"
LIBRARY = "ImportError: libpq.so.5: cannot open shared object file: No such file or directory"
ENVIRON = """\
  File "/app/app.py", line 4, in <module>
    url = os.environ["DATABASE_URL"]
          ~~~~~~~~~~^^^^^^^^^^^^^^^^
  File "<frozen os>", line 685, in __getitem__
KeyError: 'DATABASE_URL'"""
DJANGO = "django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable"
SHELL = "/app/start.sh: 3: DATABASE_URL: parameter not set"
NGINX_PORT = "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)"
NODE_PORT = "Error: listen EACCES: permission denied 0.0.0.0:80"
GO_PORT = "2026/11/24 20:00:00 listen tcp :443: bind: permission denied"
PYTHON_PORT = """\
    self.socket.bind(self.server_address)
PermissionError: [Errno 13] Permission denied"""
UVICORN = "ERROR:    [Errno 13] error while attempting to bind on address ('0.0.0.0', 80): permission denied"
RUNC = (
    "x.g1.web.1 cannot be started: failed to create task for container: OCI runtime create failed: runc create failed: "
    'unable to start container process: exec: "gunicron": executable file not found in $PATH: unknown'
)


def out(text: str, **facts) -> Facts:
    return Facts(output=tuple(text.splitlines()), **facts)


DIED = {"code": "exited", "exit_code": 1}
OPEN, INSIDE = Listener(9000, loopback_only=False), Listener(8000, loopback_only=True)

CASES = {
    "a Python module": (out(PYTHON, **DIED), "The Python module flask is not in the image"),
    "a module of gunicorn's app": (out(GUNICORN, code="exited", exit_code=3), "The Python module shop.wsgi is not"),
    "python -m": (out("/usr/local/bin/python: No module named uvicorn", **DIED), "The Python module uvicorn is not"),
    "a Node module": (out(NODE, **DIED), "The Node module express is not in the image"),
    "a Node file": (out(NODE_FILE, **DIED), "The file /app/server.js is not in the image"),
    "a Node package": (out(NODE_ESM, **DIED), "The Node module fastify is not in the image"),
    "a shared library": (out(LIBRARY, **DIED), "The shared library libpq.so.5 is not in the image"),
    "a key of the environment": (out(ENVIRON, **DIED), "The environment variable DATABASE_URL is not set."),
    "a key that was removed": (
        out("KeyError: 'TOKEN'", **DIED, env_removed=frozenset({"TOKEN"})),
        "The environment variable TOKEN is not set. It was set in the last good release.",
    ),
    "Django's words": (out(DJANGO, **DIED), "The environment variable SECRET_KEY is not set."),
    "a shell's words": (out(SHELL, code="exited", exit_code=2), "The environment variable DATABASE_URL is not set."),
    "plain words": (
        out("fatal: environment variable API_KEY is not set", **DIED),
        "The environment variable API_KEY is not set.",
    ),
    "other plain words": (out("Error: API_KEY is required", **DIED), "The environment variable API_KEY is not set."),
    "missing, before": (
        out("Missing required environment variable: STRIPE_KEY", **DIED),
        "The environment variable STRIPE_KEY is not set.",
    ),
    "nginx on 80": (out(NGINX_PORT, **DIED), "It may not listen on port 80"),
    "node on 80": (out(NODE_PORT, **DIED), "It may not listen on port 80"),
    "go on 443": (out(GO_PORT, **DIED), "It may not listen on port 443"),
    "uvicorn on 80": (out(UVICORN, **DIED), "It may not listen on port 80"),
    "Python on the app's port": (out(PYTHON_PORT, **DIED, port=80), "It may not listen on port 80"),
    "killed by the kernel": (
        Facts(code="out_of_memory", exit_code=137, out_of_memory=True, memory=64 * 1024**2),
        "It was killed because it used more memory than its limit of 64 MiB",
    ),
    "a heap that is full": (
        out(
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            code="exited",
            exit_code=134,
        ),
        "It ran out of memory",
    ),
    "another processor": (
        out("exec /usr/local/bin/app: exec format error", code="exited", exit_code=255),
        "The image is for another kind of processor",
    ),
    "another processor, at the start": (
        Facts(code="cannot_start", message="x cannot be started: exec /app: exec format error"),
        "The image is for another kind of processor",
    ),
    "no such command": (Facts(code="cannot_start", message=RUNC), "Its command gunicron is not in the image"),
    "no such command, says the init": (
        out("[FATAL tini (7)] exec gunicron failed: No such file or directory", code="cannot_start", exit_code=127),
        "Its command gunicron is not in the image",
    ),
    "no such command, says the shell": (
        out("/bin/sh: 1: flaks: not found", code="cannot_start", exit_code=127),
        "Its command flaks is not in the image",
    ),
    "no such script": (
        out("python: can't open file '/app/main.py': [Errno 2] No such file or directory", code="exited", exit_code=2),
        "Its command /app/main.py is not in the image",
    ),
    "loopback": (
        Facts(code="not_listening", port=80, listeners=(INSIDE,)),
        "It listens on port 8000 on loopback (127.0.0.1) only",
    ),
    "another port": (
        Facts(code="not_listening", port=80, listeners=(OPEN, Listener(9001, loopback_only=False), INSIDE)),
        "It listens on the ports 9000, 9001, but it is asked on port 80",
    ),
    "no port": (Facts(code="not_listening", port=80), "It runs, but listens on no port at all"),
    "answers 500": (
        Facts(code="unhealthy", port=9000, listeners=(OPEN,), status=500, asked="GET /"),
        "It runs, but answers GET / with the status 500",
    ),
    "a build step": (
        Facts(code="build_failed", job="build", step="[2/3] RUN make", output=("make: *** [all] Error 1",)),
        "This step of the Dockerfile fails: [2/3] RUN make",
    ),
    "a build step that says why": (
        out(PYTHON, code="build_failed", job="build", step="[2/3] RUN python app.py"),
        "This step of the Dockerfile fails: [2/3] RUN python app.py. The Python module flask is not",
    ),
}

NOTHING = {
    "nothing at all": Facts(),
    "an exit without a word": Facts(code="exited", exit_code=1),
    "a KeyError of the program's own": out("KeyError: 'colour'", **DIED),
    "a KeyError in capitals, with no environment about": out("KeyError: 'EUR'", **DIED),
    "a variable that is set": out(ENVIRON, **DIED, env=frozenset({"DATABASE_URL"})),
    "a file that may not be read": out("PermissionError: [Errno 13] Permission denied: '/data/x'", **DIED, port=80),
    "a high port that is refused": out("Error: listen EACCES: permission denied 0.0.0.0:8080", **DIED),
    "prose": out("this field is required, and that one is missing", **DIED),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_told_in_one_sentence(case):
    facts, sentence = CASES[case]
    assert (most_likely(facts) or "").startswith(sentence)


@pytest.mark.parametrize("case", NOTHING)
def test_what_is_not_known_is_not_guessed(case):
    assert most_likely(NOTHING[case]) is None


JUNK = {
    "one letter": "a",
    "words": "environment variable ",
    "capitals": "A_",
    "quotes": "exec: \"'",
    "colons": ": ",
    "numbers": ":80 ",
    "brackets": "sh: 1: ",
    "spaces": " ",
    "required": "A missing required ",
    "tabs": "KeyError: 'A\t",
}


@pytest.mark.parametrize("junk", JUNK)
def test_hostile_output_costs_no_time(junk):
    line = (JUNK[junk] * (100_000 // len(JUNK[junk]) + 1))[:100_000]
    facts = Facts(code="exited", exit_code=127, job="build", step="x" * 100_000, message=line, output=(line,) * 50)
    began = time.process_time()
    for rule in RULES:
        sentence = rule(facts)
        assert sentence is None or len(sentence) < 600
    assert time.process_time() - began < 1
