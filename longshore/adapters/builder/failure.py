"""What a failed build's last words mean."""

import re

from longshore.errors import AppError, DiskFullError, LongshoreError, TransientError

_FULL = re.compile(r"no space left on device", re.IGNORECASE)
_BASE = re.compile(
    r"(?:failed to resolve source metadata for|pull access denied for|manifest for) (\S+?)(?:[:,]? |$)", re.IGNORECASE
)
_PASSING = re.compile(
    r"connection reset|i/o timeout|TLS handshake|no active session|failed to do request|context canceled"
    r"|server misbehaving|temporary failure in name resolution",
    re.IGNORECASE,
)


def build_failed(text: str, step: str | None = None) -> LongshoreError:
    """Whose fault it is: full disk and broken lines are the platform's, everything else is the Dockerfile's."""
    text = text.strip()[:2000]
    if _FULL.search(text):
        hint = "Free some space where the engine keeps its images."
        return DiskFullError("the disk is full: the build cannot go on", hint=hint)
    if _PASSING.search(text) and step is None:
        return TransientError(f"the build was interrupted: {text}", code="build_interrupted")
    if (base := _BASE.search(text)) is not None:
        return AppError(
            f"the base image {base[1]} cannot be had: {text}",
            code="no_base_image",
            hint="Is it spelt right, and can this host reach its registry?",
        )
    where = f" at: {step}" if step else ""
    return AppError(f"the build failed{where}: {text}", code="build_failed", hint="The log has what the step printed.")
