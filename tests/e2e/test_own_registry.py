"""A registry of the operator's own, with credentials."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import projects
import pytest
from harness import Stack, docker, free_ports, until

USER, PASSWORD = "crew", "p-test-pass"
HTPASSWD = f"{USER}:$2b$05$kMm8XDRgnCUWyX3Cmy.oXO5QGLLm6l63RzBwWzMsAb5CMcVGlD8oK\n"  # bcrypt of the password


@dataclass(frozen=True)
class Registry:
    """Where it answers."""

    host: str

    def get(self, path: str) -> httpx.Response:
        """Asked as the user it knows."""
        return httpx.get(f"http://{self.host}{path}", auth=(USER, PASSWORD), trust_env=False)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that lets in nobody without a password."""
    folder: Path = tmp_path_factory.mktemp("registry")
    (folder / "htpasswd").write_text(HTPASSWD)
    folder.chmod(0o755)
    port, name = free_ports(1)[0], f"t{secrets.token_hex(4)}-own-registry"
    settings = ["AUTH=htpasswd", "AUTH_HTPASSWD_REALM=own", "AUTH_HTPASSWD_PATH=/auth/htpasswd"]
    env = [word for one in settings for word in ("--env", f"REGISTRY_{one}")]
    publish = ["--publish", f"127.0.0.1:{port}:5000", "--volume", f"{folder}:/auth:ro"]
    docker("run", "--detach", "--name", name, *publish, *env, "registry:2")
    try:
        ours = Registry(f"127.0.0.1:{port}")
        until(lambda: _answers(ours), what="the registry answers")
        yield ours
    finally:
        docker("rm", "--force", "--volumes", name)


def _answers(registry: Registry) -> bool:
    try:
        return registry.get("/v2/").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def stack_with(registry: Registry) -> Iterator[Callable[[str], Stack]]:
    """A stack that pushes there, with this password."""
    made: list[Stack] = []

    def make(password: str) -> Stack:
        stack = Stack(registry=f"{registry.host}/team", registry_username=USER, registry_password=password)
        made.append(stack)
        stack.up()
        return stack

    yield make
    for stack in made:
        stack.remove()


def test_images_go_to_the_operators_registry_with_its_credentials(
    registry: Registry, stack_with: Callable[[str], Stack]
) -> None:
    stack = stack_with(PASSWORD)
    stack.deployed("away", projects.web("kept elsewhere"))
    assert stack.text("away") == "kept elsewhere"
    assert registry.get("/v2/_catalog").json() == {"repositories": ["team/away"]}
    release = stack.view("/v1/apps/away/releases")["items"][0]
    assert release["image"] == f"{registry.host}/team/away:1"
    accept = {"accept": "application/vnd.docker.distribution.manifest.v2+json"}
    held = httpx.head(
        f"http://{registry.host}/v2/team/away/manifests/1", auth=(USER, PASSWORD), headers=accept, trust_env=False
    ).headers["docker-content-digest"]
    assert release["digest"] == held
    docker("rmi", "--force", f"{registry.host}/team/away:1", check=False)


def test_a_wrong_password_is_told_and_nothing_goes_into_service(stack_with: Callable[[str], Stack]) -> None:
    stack = stack_with("not-the-password")
    view = stack.deploy("away", projects.web("never"))
    assert (view["state"], view["error"]["code"]) == ("failed", "registry_refused")
    assert "LONGSHORE_REGISTRY_PASSWORD" in view["error"]["hint"]
    assert "not-the-password" not in stack.log(view) + str(view)
    assert stack.containers("away") == []
