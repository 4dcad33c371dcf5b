"""What to say of a replica that did not get healthy: whose fault, and what to do next."""

from longshore.domain.ports import Listener
from longshore.domain.specs import HealthCheck
from longshore.errors import AppError
from longshore.services.proving.candidate import Candidate
from longshore.services.proving.probes import Seen


def unhealthy(candidate: Candidate, seen: Seen, when: str, code: str = "unhealthy") -> AppError:
    """It was asked, and did not answer as it should. ``when``: within which time, or how often."""
    check = candidate.check
    if check.kind == "running":
        message = f"{candidate.name} did not run for {candidate.min_healthy_time:g} s without a restart {when}"
    else:
        message = f"{candidate.name} was not healthy {when}: {_asked(candidate)} {seen.words}"
    return AppError(message, code=code, hint=f"Healthy means {_meaning(check)}; the log has the last lines it wrote.")


def stuck(candidate: Candidate, seen: Seen, seconds: float) -> AppError:
    """The whole deployment does not get on."""
    said = "" if candidate.check.kind == "running" else f": {_asked(candidate)} {seen.words}"
    return AppError(
        f"no further replica became healthy within {seconds:g} s; {candidate.name} still is not{said}",
        code="no_progress",
        hint="The log has the last lines it wrote; raise progress_deadline if starting takes longer.",
    )


def not_listening(candidate: Candidate, listeners: list[Listener], when: str) -> AppError:
    """Nothing listens on the port: which ones do, and whether only for itself."""
    open_ports = sorted({one.port for one in listeners if not one.loopback_only})
    loopback = sorted({one.port for one in listeners if one.loopback_only})
    if candidate.port in loopback:
        said = f"it listens on port {candidate.port}, but on loopback only"
        hint = "Let the app listen on 0.0.0.0, not on 127.0.0.1 or localhost."
    elif open_ports:
        said = f"it listens on {_listed(open_ports)}"
        hint = f"Set port to one of these, or let the app listen on $PORT ({candidate.port})."
    elif loopback:
        said = f"it listens on {_listed(loopback)}, on loopback only"
        hint = f"Let the app listen on 0.0.0.0 and on $PORT ({candidate.port})."
    else:
        said, hint = "it listens on no port at all", f"Let the app listen on 0.0.0.0 and on $PORT ({candidate.port})."
    return AppError(
        f"nothing answered on port {candidate.port} of {candidate.name} {when}; {said}",
        code="not_listening",
        hint=hint,
    )


def _listed(ports: list[int]) -> str:
    return f"port {ports[0]}" if len(ports) == 1 else f"ports {', '.join(map(str, ports))}"


def _asked(candidate: Candidate) -> str:
    check = candidate.check
    if check.kind == "command":
        return f"the command {(check.command or [''])[0]}"
    return f"GET {check.path}" if check.kind == "http" else f"TCP port {candidate.port}"


def _meaning(check: HealthCheck) -> str:
    if check.kind == "running":
        return "that it goes on running"
    if check.kind == "command":
        return "that the command exits with 0"
    if check.kind == "tcp":
        return "that a connection is accepted"
    body = f" with {check.body!r} in the body" if check.body else ""
    return f"a status of {check.wanted}{body}"
