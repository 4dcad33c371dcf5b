"""The most likely cause of a failure, in one sentence, from explicit rules.

A rule reads facts and answers a sentence, or ``None`` when it does not apply; the first one that applies is the
cause. What containers and builds print is hostile: only the last lines are read, of each line only the beginning, and
no pattern has a repetition inside a repetition.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from longshore.domain.ports import Listener

LAST_LINES = 50
LINE_START = 1000  # characters of a line that are looked at
QUOTED = 200  # characters of somebody else's words in a sentence
PRIVILEGED = 1024  # ports below this one are root's


@dataclass(frozen=True)
class Facts:
    """What is known of a failure. ``output``: the last lines of the container, or of the job where there is none."""

    code: str = ""
    message: str = ""
    job: str = ""
    step: str = ""  # the Dockerfile step that failed
    port: int | None = None  # where an answer was expected
    exit_code: int | None = None
    out_of_memory: bool = False
    memory: int | None = None  # the limit, in bytes
    listeners: tuple[Listener, ...] = ()
    status: int | None = None  # of the last probe
    asked: str = ""  # what the probes asked for
    env: frozenset[str] = frozenset()  # the names of what is set
    env_removed: frozenset[str] = frozenset()  # since the last good release
    output: tuple[str, ...] = ()

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """What the rules read: never more than 50 KB, whatever was printed."""
        return tuple(line[:LINE_START] for line in self.output[-LAST_LINES:])

    @cached_property
    def said(self) -> tuple[str, ...]:
        """The same, and our own words for what went wrong: the engine's reasons are in them."""
        return (self.message[: 2 * LINE_START], *self.lines)

    @property
    def ended(self) -> bool:
        """Whether its container ended by itself, or never began."""
        return self.exit_code is not None or self.code in ("cannot_start", "cannot_create", "exited", "out_of_memory")


Rule = Callable[[Facts], str | None]


def most_likely(facts: Facts) -> str | None:
    """The sentence of the first rule that applies."""
    return next((sentence for rule in RULES if (sentence := rule(facts)) is not None), None)


def _last(pattern: re.Pattern[str], lines: Iterable[str]) -> re.Match[str] | None:
    """The last line that matches: what is printed last is what it died of."""
    found = [match for line in lines if (match := pattern.search(line)) is not None]
    return found[-1] if found else None


_HEAP = re.compile(r"JavaScript heap out of memory|java\.lang\.OutOfMemoryError|^MemoryError\b|Cannot allocate memory")


def out_of_memory(facts: Facts) -> str | None:
    """The kernel killed it at its limit, or the program said itself that it found no more."""
    if facts.out_of_memory or facts.code == "out_of_memory":
        limit = f"its limit of {_size(facts.memory)}" if facts.memory else "there is"
        return f"It was killed because it used more memory than {limit}: raise resources.memory, or let it use less."
    if facts.ended and _last(_HEAP, facts.lines):
        return "It ran out of memory: raise resources.memory, or let it use less."
    return None


_ARCHITECTURE = re.compile(
    r"exec format error|no matching manifest for|does not match the (?:detected )?host platform", re.I
)


def wrong_architecture(facts: Facts) -> str | None:
    """The processor of this host cannot run the program."""
    if _last(_ARCHITECTURE, facts.said) is None:
        return None
    return (
        "The image is for another kind of processor than this host has: build it for this one "
        "(or, if its command is a script, let the script begin with a #! line)."
    )


_DENIED = re.compile(r"EACCES|permission denied|operation not permitted|PermissionError", re.I)
_BINDING = re.compile(r"\bbind|\blisten|server_bind|\bsocket\b", re.I)
_PORT = re.compile(r"(?:[:,]\s?|\bport )(\d{1,5})\b")


def port_permission(facts: Facts) -> str | None:
    """Only root may listen on a low port."""
    denied = [line for line in facts.lines if _DENIED.search(line)]
    if not denied or not any(_BINDING.search(line) for line in facts.lines):
        return None
    told = [int(number) for line in denied if _BINDING.search(line) for number in _PORT.findall(line)]
    port = next((number for number in told if number > 0), facts.port if facts.ended else None)
    if port is None or port >= PRIVILEGED:
        return None
    return (
        f"It may not listen on port {port}: ports below {PRIVILEGED} are root's. "
        "Let it listen on a higher one, such as 8080, and declare that as the app's port."
    )


_PYTHON = re.compile(r"No module named '?([\w.]{1,200})'?")
_NODE = re.compile(r"Cannot find (?:module|package) '([^']{1,200})'")
_RUBY = re.compile(r"cannot load such file -- ([\w./-]{1,200})")
_LIBRARY = re.compile(r"(?:error while loading shared libraries: |ImportError: )([\w.+-]{1,100}\.so[\w.]{0,20}):")


def missing_module(facts: Facts) -> str | None:
    """Something that is imported is not in the image."""
    if (found := _last(_PYTHON, facts.lines)) is not None:
        return f"The Python module {found[1]} is not in the image: is it in requirements.txt, and was its file copied?"
    if (found := _last(_NODE, facts.lines)) is not None:
        if found[1].startswith(("/", ".")):
            return f"The file {found[1]} is not in the image: look at the command, at COPY and at .dockerignore."
        return f"The Node module {found[1]} is not in the image: is it in the dependencies of package.json?"
    if (found := _last(_RUBY, facts.lines)) is not None:
        return f"The Ruby library {found[1]} is not in the image: is it in the Gemfile?"
    if (found := _last(_LIBRARY, facts.lines)) is not None:
        return f"The shared library {found[1]} is not in the image: install the package that has it in the Dockerfile."
    return None


_KEY_ERROR = re.compile(r"^\W{0,8}KeyError: '([A-Za-z_]\w{0,127})'")
_ENVIRON = re.compile(r"\benviron\b|\bgetenv\b|<frozen os>|/os\.py\"")
_NAME = r"[\"'`$]{0,2}\b([A-Z][A-Z0-9_]{1,127})\b[\"'`]?"
_UNSET = r"(?:is |was )?(?:not set|not defined|undefined|unset|missing|required|not found|not specified|unbound)\b"
_UNSET_ENV = (
    re.compile(rf"environment variables?:? {_NAME} {_UNSET}", re.I),
    re.compile(rf"{_NAME} (?:environment variable|env var) {_UNSET}"),
    re.compile(rf"{_NAME} (?:{_UNSET}|must be set)"),
    re.compile(rf"(?:missing|required|undefined) (?:required )?(?:environment variables?|env vars?):? {_NAME}", re.I),
    re.compile(rf"\bset the {_NAME} environment variable", re.I),
    re.compile(rf"{_NAME}: (?:parameter not set|parameter null or not set|unbound variable)"),
)


def missing_env(facts: Facts) -> str | None:
    """An environment variable that it wants is not set."""
    key = next((key for key in _wanted_env(facts) if key not in facts.env), None)
    if key is None:
        return None
    removed = " It was set in the last good release." if key in facts.env_removed else ""
    return f"The environment variable {key} is not set.{removed}"


def _wanted_env(facts: Facts) -> Iterable[str]:
    """The names it asked for in vain, the last one first."""
    about_env = any(_ENVIRON.search(line) for line in facts.lines)
    for line in reversed(facts.lines):
        if (found := _KEY_ERROR.search(line)) is not None and (about_env or found[1] in facts.env_removed):
            yield found[1]
        for pattern in _UNSET_ENV:
            if (found := pattern.search(line)) is not None and found[1].isupper():
                yield found[1]


_NOT_FOUND = (
    re.compile(r"exec: \"([^\"]{1,200})\": (?:executable file not found|stat |permission denied)"),
    re.compile(r"exec: \"([^\"]{1,200})\": .{0,100}no such file or directory", re.I),
    re.compile(r"\bexec ([^\s:\"]{1,200}) failed: (?:No such file|Permission denied)", re.I),
    re.compile(r"\bsh: (?:line )?\d{0,6}:? ?([^\s:]{1,200}): (?:command )?not found"),
    re.compile(r"^exec: (?:line )?\d{0,6}:? ?([^\s:]{1,200}): not found"),
    re.compile(r"\b([^\s:]{1,200}): command not found"),
    re.compile(r"can't open file '([^']{1,200})': \[Errno 2\]"),
)


def command_not_found(facts: Facts) -> str | None:
    """What is to be run is not there, or is no program."""
    if not (facts.ended and (facts.exit_code in (2, 126, 127) or facts.code == "cannot_start")):
        return None
    for pattern in _NOT_FOUND:
        if (found := _last(pattern, facts.said)) is not None:
            return f"Its command {found[1]} is not in the image, or cannot be executed: look at command, CMD and PATH."
    if facts.exit_code == 127:
        return "Its command was not found in the image: look at command, and at CMD and ENTRYPOINT."
    return None


def loopback_only(facts: Facts) -> str | None:
    """It listens, but only for itself."""
    if not facts.listeners or any(not one.loopback_only for one in facts.listeners):
        return None
    ports = _listed(one.port for one in facts.listeners)
    return (
        f"It listens on {ports} on loopback (127.0.0.1) only, so nothing outside its container reaches it: use 0.0.0.0."
    )


def wrong_port(facts: Facts) -> str | None:
    """It listens, but not where it is asked."""
    open_ports = {one.port for one in facts.listeners if not one.loopback_only}
    if facts.port is None or not open_ports or facts.port in open_ports:
        return None
    return (
        f"It listens on {_listed(open_ports)}, but it is asked on port {facts.port}: "
        "declare its port, or let it listen on $PORT."
    )


def no_port(facts: Facts) -> str | None:
    """It runs and listens nowhere."""
    if facts.code != "not_listening" or facts.listeners:
        return None
    return f"It runs, but listens on no port at all: let it listen on 0.0.0.0 and on $PORT ({facts.port})."


def answers_badly(facts: Facts) -> str | None:
    """It answers, but not as it should."""
    if facts.ended or facts.status is None or not facts.asked or facts.code != "unhealthy":
        return None
    return f"It runs, but answers {facts.asked} with the status {facts.status}: look at what it printed."


def failing_step(facts: Facts) -> str | None:
    """One step of the Dockerfile."""
    if facts.job != "build" or not facts.step:
        return None
    return f"This step of the Dockerfile fails: {facts.step[:QUOTED]}"


def failing_module_in_step(facts: Facts) -> str | None:
    """A build that says itself what it misses: the step, and what that is."""
    step = failing_step(facts)
    if step is None:
        return None
    why = missing_module(facts) or missing_env(facts) or wrong_architecture(facts)
    return f"{step}. {why}" if why else step


RULES: tuple[Rule, ...] = (
    failing_module_in_step,
    out_of_memory,
    wrong_architecture,
    port_permission,
    missing_module,
    missing_env,
    command_not_found,
    loopback_only,
    wrong_port,
    no_port,
    answers_badly,
)


def _size(count: int) -> str:
    mib = count / 1024**2
    return f"{mib / 1024:g} GiB" if mib >= 1024 else f"{mib:g} MiB"


def _listed(ports: Iterable[int]) -> str:
    known = sorted(set(ports))[:10]
    return f"port {known[0]}" if len(known) == 1 else f"the ports {', '.join(map(str, known))}"
