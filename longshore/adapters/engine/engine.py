"""Containers and the network."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound

from longshore.adapters.engine import commands, hardening, images, listeners, one_off, volumes
from longshore.adapters.engine.connection import Connection, explanation, translated
from longshore.adapters.engine.network import StackNetwork
from longshore.domain.ports import (
    Container,
    ContainerSpec,
    Ending,
    EngineFacts,
    EngineVolume,
    Executed,
    ImageFacts,
    Listener,
    Network,
    OnLine,
    Stopped,
)
from longshore.errors import AppError, LongshoreError, PartDownError, PlatformError, TransientError

_NEVER = datetime(1, 1, 1, tzinfo=UTC)  # how the engine writes that something has not happened yet
_USERS_FAULT = re.compile(
    r"executable file not found|no such file or directory|permission denied|no command specified|exec format error",
    re.IGNORECASE,
)
_LEFTOVER = re.compile(r"task \w+: already exists")


class _LeftoverError(TransientError):
    """An engine that was killed while it started this container has left something behind that is in its way."""


class DockerEngine:
    """A Docker engine."""

    def __init__(self, connection: Connection, network: StackNetwork, credentials: images.Credentials) -> None:
        self._connection = connection
        self._network = network
        self._credentials = credentials

    def facts(self) -> EngineFacts:
        """What the engine says of itself."""
        with translated():
            info = self._connection.client.info()
        return EngineFacts(
            version=info["ServerVersion"],
            storage=info["Driver"],
            local=self._connection.local,
            root=Path(info["DockerRootDir"]),
        )

    def network(self) -> Network:
        """The stack's network, made when it is missing."""
        return self._network.ensure()

    def find_image(self, reference: str) -> ImageFacts | None:
        """An image on the host."""
        return images.find(self._connection, reference)

    def image_ids(self) -> frozenset[str]:
        """The ids of all images on the host."""
        return images.ids(self._connection)

    def pull(self, reference: str, on_line: OnLine, stopped: Stopped) -> ImageFacts:
        """Pull an image."""
        return images.pull(self._connection, reference, self._credentials, on_line, stopped)

    def push(self, image_id: str, reference: str, on_line: OnLine, stopped: Stopped) -> str:
        """Tag and push; the reported digest, or nothing when stopped."""
        return images.push(self._connection, image_id, reference, self._credentials, on_line, stopped)

    def forget_image(self, reference: str) -> None:
        """Take a tag away, or an image by id that no tag holds."""
        images.forget(self._connection, reference)

    def start(self, spec: ContainerSpec) -> Container:
        """Create and start, or adopt what is there and ours."""
        with translated():
            try:
                self._create(spec)
            except APIError as error:
                self._adopt(spec, error)
            try:
                self._run(spec.name)
            except _LeftoverError:
                self.remove(spec.name)
                self._create(spec)
                self._run(spec.name)
        return self._there(spec.name)

    def run_once(self, spec: ContainerSpec, grace: float, on_line: OnLine, stopped: Stopped) -> Ending | None:
        """Run a command to its end, and remove its container, whatever happens."""
        with translated(), self._made(spec) as container_id:
            self._run(container_id)
            if not one_off.follow(self._connection.client, container_id, on_line, stopped):
                self.stop(container_id, grace)
                return None
            return self._ended(spec.name, container_id)

    @contextmanager
    def _made(self, spec: ContainerSpec) -> Iterator[str]:
        """A container of our own, known by its id: whoever took the job over may have one of this name later."""
        try:
            container_id = str(self._create(spec)["Id"])
        except APIError as error:
            if error.status_code == 409:
                raise TransientError(f"the name {spec.name} is taken still", code="name_busy") from error
            raise _not_created(spec, error) from error
        try:
            yield container_id
        finally:
            with suppress(LongshoreError):  # what cannot be removed now is found and removed by the sweep
                self.remove(container_id)

    def _ended(self, name: str, container_id: str) -> Ending:
        found = self.find(container_id)
        if found is None:
            raise TransientError(f"{name} was removed while it ran", code="one_off_gone")
        if found.running or found.interrupted:
            raise PartDownError("engine", f"the container engine went away while {name} ran")
        return Ending(found.exit_code, found.out_of_memory)

    def find(self, name: str) -> Container | None:
        """One container."""
        with translated():
            try:
                facts = self._connection.client.inspect_container(name)
            except NotFound:
                return None
            return _container(facts, interrupted=self._interrupted(facts["State"]))

    def containers(self, labels: Mapping[str, str]) -> list[Container]:
        """All containers with these labels, oldest first. One call, however many there are."""
        with translated():
            wanted = {"label": [f"{key}={value}" for key, value in labels.items()]}
            rows = self._connection.client.containers(all=True, filters=wanted)
        # The engine lists newest first, in whole seconds; turned round, those of one second are in order too.
        return [_listed(row) for row in reversed(rows)]

    def keep_running(self, name: str) -> None:
        """Restart it when it dies, and when the engine comes back; not once it was stopped on purpose."""
        with translated():
            self._connection.client.update_container(name, restart_policy={"Name": "unless-stopped"})  # type: ignore[arg-type]

    def resume(self, name: str) -> None:
        """Start a stopped container."""
        with translated():
            self._run(name)

    def stop(self, name: str, grace: float) -> None:
        """SIGTERM, then SIGKILL."""
        with translated():
            try:
                self._connection.client.stop(name, timeout=round(grace))
            except NotFound:
                return

    def remove(self, name: str) -> None:
        """Remove, running or not, with the volumes nobody named."""
        with translated():
            try:
                self._connection.client.remove_container(name, force=True, v=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != 409:  # 409: it is being removed by somebody already
                    raise

    def ensure_volume(self, volume: EngineVolume) -> None:
        """Made, or there already and ours."""
        volumes.ensure(self._connection, volume)

    def remove_volume(self, volume: EngineVolume) -> None:
        """Remove it, if it is there and ours."""
        volumes.remove(self._connection, volume)

    def volumes(self, labels: Mapping[str, str]) -> list[EngineVolume]:
        """All volumes with these labels."""
        return volumes.listed(self._connection, labels)

    def output(self, name: str, tail: int) -> list[str]:
        """The last lines it wrote."""
        with translated():
            try:
                raw: bytes = self._connection.client.logs(name, stdout=True, stderr=True, tail=tail)
            except NotFound:
                return []
        return raw.decode(errors="replace").splitlines()

    def listeners(self, name: str) -> list[Listener]:
        """The TCP ports listened on inside it."""
        with translated():
            return listeners.of(self._connection.client, name)

    def execute(self, name: str, command: Sequence[str], timeout: float) -> Executed:
        """Run a command inside it."""
        with translated():
            return commands.execute(self._connection.client, name, command, timeout)

    def _interrupted(self, state: dict[str, Any]) -> bool:
        """Whether one that does not run was started before the engine itself was: then it ended with the engine."""
        started = datetime.fromisoformat(state["StartedAt"])
        return not state["Running"] and _NEVER < started < self._began()

    def _began(self) -> datetime:
        """When the engine started, which it tells nowhere. It makes its own bridge anew at each start that ends what
        ran; where there is no such bridge, nobody knows."""
        try:
            return datetime.fromisoformat(self._connection.client.inspect_network("bridge")["Created"])
        except NotFound:
            return _NEVER

    def _create(self, spec: ContainerSpec) -> Any:
        client = self._connection.client
        return client.create_container(
            image=spec.image_id,
            command=list(spec.command) if spec.command else None,
            name=spec.name,
            labels=dict(spec.labels),
            environment=dict(spec.env),
            host_config=hardening.host_config(client, spec),
            networking_config=client.create_networking_config(
                {spec.network: client.create_endpoint_config(ipv4_address=spec.address)}  # type: ignore[arg-type]
            ),
        )

    def _adopt(self, spec: ContainerSpec, error: APIError) -> None:
        """The name is a mutex. What has it must be ours, of this generation, of this image."""
        if error.status_code != 409:
            raise _not_created(spec, error) from error
        there = self.find(spec.name)
        if there is None:
            raise TransientError(f"the name {spec.name} is only just free again", code="name_busy") from error
        if any(there.labels.get(key) != value for key, value in spec.labels.items()):
            raise PlatformError(
                f"the name {spec.name} is taken by a container that is not ours ({there.id[:12]})",
                code="name_taken",
                hint="It was left alone. Rename or remove it yourself.",
            ) from error
        if there.image_id != spec.image_id:
            wrong = f"{spec.name} runs {there.image_id}, not {spec.image_id}"
            raise PlatformError(wrong, code="wrong_image") from error

    def _run(self, name: str) -> None:
        try:
            self._connection.client.start(name)
        except NotFound as error:
            raise TransientError(f"{name} disappeared before it was started", code="replica_gone") from error
        except APIError as error:
            raise _not_started(name, error) from error

    def _there(self, name: str) -> Container:
        container = self.find(name)
        if container is None:
            raise TransientError(f"{name} disappeared after it was started", code="replica_gone")
        return container


def _not_created(spec: ContainerSpec, error: APIError) -> Exception:
    text = explanation(error)
    if error.status_code == 404:
        return TransientError(f"the engine has not the image {spec.image_id} any more: {text}", code="image_gone")
    if error.status_code == 400:
        return AppError(f"{spec.name} cannot be created: {text}", code="cannot_create", hint="Look at its limits.")
    return error


def _not_started(name: str, error: APIError) -> Exception:
    text = explanation(error)
    if _USERS_FAULT.search(text):
        return AppError(
            f"{name} cannot be started: {text}",
            code="cannot_start",
            hint="Look at the command, and at CMD and ENTRYPOINT of the image.",
        )
    kind = _LeftoverError if _LEFTOVER.search(text) else TransientError
    return kind(f"{name} cannot be started: {text}", code="cannot_start")


def _container(facts: dict[str, Any], *, interrupted: bool) -> Container:
    state, networks = facts["State"], facts["NetworkSettings"]["Networks"] or {}
    return Container(
        id=facts["Id"],
        name=facts["Name"].lstrip("/"),
        image_id=facts["Image"],
        labels=facts["Config"]["Labels"] or {},
        running=bool(state["Running"]) and not state["Restarting"],
        address=next((one["IPAddress"] for one in networks.values() if one.get("IPAddress")), None),
        exit_code=int(state["ExitCode"]),
        out_of_memory=bool(state["OOMKilled"]),
        restarts=int(facts["RestartCount"]),
        error=state.get("Error") or "",
        interrupted=interrupted,
    )


def _listed(row: dict[str, Any]) -> Container:
    """From the list: what it does not tell (exit code, restarts) reads as nothing."""
    networks = row["NetworkSettings"]["Networks"] or {}
    return Container(
        id=row["Id"],
        name=row["Names"][0].lstrip("/"),
        image_id=row["ImageID"],
        labels=row["Labels"] or {},
        running=row["State"] in ("running", "restarting"),
        address=next((one["IPAddress"] for one in networks.values() if one.get("IPAddress")), None),
        exit_code=0,
        out_of_memory=False,
        restarts=0,
    )
