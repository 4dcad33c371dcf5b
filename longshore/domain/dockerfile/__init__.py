"""Writes a Dockerfile for a source tree that has none.

Pure: the tree is read through ``SourceTree`` and never imported or run. Whatever comes out of the user's files is
matched against a strict pattern or quoted before it is written, so a file cannot add instructions of its own.

What all of them share: a dependency layer that stays cached while only the source changes, cache mounts for the
package manager, the numeric user 10001, ``PORT`` in the environment, and no ``# syntax=`` line (it would fetch a
frontend from a hub).
"""

from longshore.domain.dockerfile import node, python, static
from longshore.domain.dockerfile.written import BaseImages, WrittenDockerfile
from longshore.domain.tree import SourceTree
from longshore.errors import AppError

__all__ = ["BaseImages", "WrittenDockerfile", "write_dockerfile"]

# In this order: a web program in Python beats a package.json (often there for style sheets only), a start script
# beats a lone app.py, and files are served as they are only when nothing else claims them.
RECOGNISERS = (
    python.served,
    node.started,
    python.script,
    static.site,
)


def write_dockerfile(tree: SourceTree, images: BaseImages) -> WrittenDockerfile:
    """The Dockerfile that builds and serves this tree.

    Raises ``AppError`` with code ``not_recognised``, saying what was looked for, when there is no telling.
    """
    for recognise in RECOGNISERS:
        written = recognise(tree, images)
        if written:
            return written
    raise _not_recognised()


def _not_recognised() -> AppError:
    return AppError(
        "There is no Dockerfile, and no way to serve this source was found. Looked for: "
        "a Procfile with a `web:` line (beside Python or Node files); manage.py (Django); "
        "a Flask, FastAPI or Starlette object, or a create_app() that makes one, in app.py, main.py, wsgi.py, "
        "asgi.py, src/ and packages up to two levels deep; package.json with a start script; "
        "app.py or main.py to run with python; index.html in a folder of static files only.",
        code="not_recognised",
        hint="Add a Dockerfile, or a Procfile with a line such as `web: gunicorn --bind 0.0.0.0:$PORT app:app`, "
        "or a start script in package.json.",
    )
