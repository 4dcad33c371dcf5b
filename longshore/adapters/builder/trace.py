"""BuildKit's own account of a build: which step, cached or not, how long, and what it printed.

A ``moby.buildkit.control.StatusResponse`` in protobuf; only the fields that are read are declared here
(github.com/moby/buildkit, api/services/control/control.proto).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from google.protobuf.message import DecodeError

from longshore.domain.ports import BuildLine, BuildNews, BuildStepSeen
from longshore.errors import PlatformError

_TIME = ".google.protobuf.Timestamp"
_FIELDS: dict[str, list[tuple[str, int, str, bool]]] = {  # name, number, type, repeated
    "Vertex": [
        ("digest", 1, "string", False),
        ("name", 3, "string", False),
        ("cached", 4, "bool", False),
        ("started", 5, _TIME, False),
        ("completed", 6, _TIME, False),
        ("error", 7, "string", False),
    ],
    "VertexLog": [("vertex", 1, "string", False), ("msg", 4, "bytes", False)],
    "StatusResponse": [("vertexes", 1, ".longshore.Vertex", True), ("logs", 3, ".longshore.VertexLog", True)],
}


def _status_response() -> Any:
    proto = descriptor_pb2.FieldDescriptorProto
    scalar = {"string": proto.TYPE_STRING, "bool": proto.TYPE_BOOL, "bytes": proto.TYPE_BYTES}
    file = descriptor_pb2.FileDescriptorProto(name="longshore/trace.proto", package="longshore", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    for message, fields in _FIELDS.items():
        declared = file.message_type.add(name=message)
        for name, number, kind, repeated in fields:
            one = declared.field.add(name=name, number=number, type=scalar.get(kind, proto.TYPE_MESSAGE))
            one.label = proto.LABEL_REPEATED if repeated else proto.LABEL_OPTIONAL
            if kind not in scalar:
                one.type_name = kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("longshore.StatusResponse"))


StatusResponse = _status_response()


class Trace:
    """Reads one build's messages in order. ``failed`` is the step that failed, once one has."""

    def __init__(self) -> None:
        self.failed: str | None = None
        self._rest: dict[str, str] = {}  # per step: a line that has not ended yet

    def read(self, raw: bytes) -> Iterator[BuildNews]:
        """The news in one message."""
        try:
            status = StatusResponse.FromString(raw)
        except DecodeError as error:
            raise PlatformError("the engine's build progress cannot be read", code="bad_trace") from error
        for vertex in status.vertexes:
            yield self._step(vertex)
        for log in status.logs:
            yield from self._lines(log.vertex, log.msg.decode(errors="replace"))
        for vertex in status.vertexes:
            if vertex.HasField("completed"):
                yield from self.rest(vertex.digest)

    def rest(self, *keys: str) -> Iterator[BuildLine]:
        """Lines that ended without a newline: of these steps, or of all."""
        for key in keys or tuple(self._rest):
            if key in self._rest:
                yield BuildLine(self._rest.pop(key), key)

    def _step(self, vertex: Any) -> BuildStepSeen:
        if vertex.error and "context canceled" not in vertex.error:
            self.failed = vertex.name
        return BuildStepSeen(
            key=vertex.digest,
            name=vertex.name,
            cached=vertex.cached,
            started_at=_instant(vertex, "started"),
            ended_at=_instant(vertex, "completed"),
            error=vertex.error or None,
        )

    def _lines(self, key: str, text: str) -> Iterator[BuildLine]:
        """Whole lines; what has not ended waits for its end, but not for ever."""
        *lines, rest = (self._rest.pop(key, "") + text).split("\n")
        if len(rest) > 16 * 1024:
            lines, rest = [*lines, rest], ""
        if rest:
            self._rest[key] = rest
        for line in lines:
            yield BuildLine(line, key)


def _instant(vertex: Any, field: str) -> datetime | None:
    if not vertex.HasField(field):
        return None
    stamp = getattr(vertex, field)
    return datetime.fromtimestamp(stamp.seconds + stamp.nanos / 1e9, tz=UTC)
