"""Certificates of the operator's own: looked at before the router sees them, because a single bad file would stop it.

The router reads a copy in a folder named after what was found: a configuration and its certificates change together,
and are taken back together.
"""

import hashlib
import secrets
import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path

from longshore.adapters.files import replace_file

PREFIX = "certificates-"
SIZE_LIMIT = 256 * 1024


def problems(folder: Path) -> dict[str, str | None]:
    """File → what is wrong with it, or ``None``."""
    return {path.name: _problem(path) for path in _found(folder)}


def place(folder: Path, into: Path) -> str:
    """Put a copy of all good ones below ``into``, and answer the name of the folder they are in."""
    texts = {path.name: text for path in _found(folder) if (text := _text(path)) is not None}
    name = PREFIX + hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:16]
    if not (into / name).exists():
        _copy(texts, into / name)
    return name


def sweep(into: Path, keep: str) -> None:
    """Remove the copies that no configuration names any more."""
    for folder in into.glob(f"*{PREFIX}*"):
        if folder.name != keep:
            shutil.rmtree(folder, ignore_errors=True)


def _copy(texts: Mapping[str, str], into: Path) -> None:
    """All or nothing: keys are in no folder and no file that anybody else may read."""
    temporary = into.with_name(f".{into.name}.{secrets.token_hex(4)}")
    temporary.mkdir(mode=0o700)
    for name, text in texts.items():
        replace_file(temporary / name, text)
        if _problem(temporary / name):
            (temporary / name).unlink()
    temporary.rename(into)


def _found(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.pem") if not path.name.startswith("."))


def _text(path: Path) -> str | None:
    try:
        return path.read_text("ascii") if path.is_file() and path.stat().st_size <= SIZE_LIMIT else None
    except (OSError, UnicodeDecodeError):
        return None


def _problem(path: Path) -> str | None:
    """By the same library, and the same rules about weak keys, as the router's own."""
    if _text(path) is None:
        return "it is no readable PEM file"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or "the key is missing or locked"
        return f"no certificate chain with its own key: {str(reason).lower().replace('_', ' ')}"
    return None
