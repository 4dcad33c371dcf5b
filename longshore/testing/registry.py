"""A registry in a dict."""

from longshore.errors import PartDownError


class FakeRegistry:
    """Remembers which digest each tag has. ``loses``: it says that a push went well, and holds nothing."""

    def __init__(self, prefix: str = "127.0.0.1:5001") -> None:
        self.prefix = prefix
        self.digests: dict[tuple[str, str], str] = {}
        self.down = False
        self.loses = False

    def digest(self, repository: str, version: str) -> str | None:
        """The digest of a tag, or a digest that some tag has."""
        self.ping()
        if version.startswith("sha256:"):
            return version if (repository, version) in {(r, d) for (r, _), d in self.digests.items()} else None
        return self.digests.get((repository, version))

    def ping(self) -> None:
        """Raise ``PartDownError`` while it is down."""
        if self.down:
            raise PartDownError("registry", f"the registry {self.prefix} does not answer")

    def accept(self, repository: str, tag: str, digest: str) -> None:
        """What a push does."""
        self.ping()
        if not self.loses:
            self.digests[repository, tag] = digest
