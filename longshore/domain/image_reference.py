"""Image references, parsed: ``host:5000/team/app:1@sha256:…``.

The grammar is that of the distribution project's reference package: the first part is a registry host when it
has a dot or a colon, is ``localhost``, or has an upper-case letter; a digest outranks a tag.
"""

import re
from dataclasses import dataclass

from longshore.errors import InvalidRequestError

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_NAME = re.compile(rf"(?:(?P<host>{_HOST})/)?(?P<path>{_PART}(?:/{_PART})*)")
_REFERENCE = re.compile(rf"(?P<name>[^@]+?)(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?")

HUB = "docker.io"
HUB_REGISTRY = "registry-1.docker.io"


@dataclass(frozen=True)
class ImageReference:
    """Where an image is: registry host, repository path, and a tag, a digest or both."""

    host: str
    path: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> "ImageReference":
        """Read a reference as the engine would; ``InvalidRequestError`` says what is wrong with it."""
        whole = _REFERENCE.fullmatch(text)
        if len(text) > 400 or whole is None or (name := _split(whole["name"])) is None:
            raise InvalidRequestError(
                f"{text[:120]!r} is not an image reference",
                code="bad_image",
                hint="Write it as name:tag, host/name:tag or name@sha256:digest, the name in lower case.",
            )
        host, path = name
        tag = whole["tag"] or (None if whole["digest"] else "latest")
        return cls(host, path, tag, whole["digest"])

    @property
    def repository(self) -> str:
        """Host and path: what is pulled from, without tag or digest."""
        return self.path.removeprefix("library/") if self.host == HUB else f"{self.host}/{self.path}"

    @property
    def version(self) -> str:
        """What the registry is asked for: the digest when there is one, else the tag."""
        return self.digest or self.tag or "latest"

    def __str__(self) -> str:
        separator = "@" if self.digest else ":"
        return f"{self.repository}{separator}{self.version}"


def _split(name: str) -> tuple[str, str] | None:
    first, slash, rest = name.partition("/")
    if slash and ({".", ":"} & set(first) or first == "localhost" or first != first.lower()):
        found = _NAME.fullmatch(f"{first}/{rest}")
        return (first, rest) if found and found["host"] == first else None
    if _NAME.fullmatch(name) is None or ":" in name:
        return None
    return HUB, name if slash else f"library/{name}"
