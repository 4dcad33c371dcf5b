from collections.abc import Callable, Iterable

import pytest

from longshore.domain.dockerfile import BaseImages, WrittenDockerfile, write_dockerfile


class MemoryTree:
    """A source tree that is a dict."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def paths(self) -> Iterable[str]:
        return self.files.keys()

    def read_text(self, path: str, limit: int = 256 * 1024) -> str | None:
        return self.files[path][:limit] if path in self.files else None


IMAGES = BaseImages("python:{version}-slim", "node:{version}-slim", "nginx:1")


@pytest.fixture
def tree() -> type[MemoryTree]:
    return MemoryTree


@pytest.fixture
def write() -> Callable[..., WrittenDockerfile]:
    def written(files: dict[str, str], images: BaseImages = IMAGES) -> WrittenDockerfile:
        return write_dockerfile(MemoryTree(files), images)

    return written


FLASK = "from flask import Flask\napp = Flask(__name__)\n"


@pytest.fixture
def flask_app() -> str:
    return FLASK
