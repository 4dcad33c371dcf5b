"""The home of a stack: its folders, keys and passwords, made once and readable by their owner only."""

import secrets
from pathlib import Path

from longshore.adapters.files import replace_file
from longshore.adapters.secret_box import KEY_FILE, new_key
from longshore.settings import Settings

ADMIN_TOKEN, FLOWER_PASSWORD = "admin-token", "flower-password"
FOLDERS = ("logs", "uploads", "builds", "router", "registry", "redis")


def prepare(settings: Settings) -> None:
    """Everything ``up`` needs on disk; what is there is left as it is."""
    settings.root.mkdir(parents=True, exist_ok=True)
    settings.root.chmod(0o700)  # whoever made it
    for name in FOLDERS:
        (settings.root / name).mkdir(exist_ok=True)
    _sockets(settings)
    if settings.secret_keys is None:
        _once(settings.root / KEY_FILE, new_key() + "\n")
    _once(settings.root / FLOWER_PASSWORD, secrets.token_urlsafe(18) + "\n")


def flower_password(settings: Settings) -> str:
    """The password of Flower's user ``admin``."""
    return (settings.root / FLOWER_PASSWORD).read_text().strip()


def admin_token(settings: Settings) -> str | None:
    """The first admin token; ``None`` when its file is not there."""
    path = settings.root / ADMIN_TOKEN
    return path.read_text().strip() if path.exists() else None


def keep_admin_token(settings: Settings, text: str) -> None:
    """Write it down where only the owner reads it."""
    replace_file(settings.root / ADMIN_TOKEN, text + "\n")


def _sockets(settings: Settings) -> None:
    """A short folder for sockets, with a link to it from the home."""
    (settings.sockets / "router").mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.sockets.chmod(0o700)
    link = settings.root / "sockets"
    if not link.is_symlink():
        link.symlink_to(settings.sockets)


def _once(path: Path, text: str) -> None:
    if not path.exists():
        replace_file(path, text)
