"""Encryption at rest with Fernet (AES-128-CBC and HMAC-SHA256); several keys for rotation, newest first."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from longshore.errors import PlatformError
from longshore.settings import Settings

KEY_FILE = "keys"


class FernetBox:
    """Seals named values; opens what any of its keys sealed."""

    def __init__(self, keys: list[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise PlatformError(
                "an encryption key is not a Fernet key",
                code="bad_key",
                hint="A key is 32 bytes in URL-safe base64: LONGSHORE_SECRET_KEYS, or the file keys in the home.",
            ) from error
        self._marking = hashlib.sha256(b"longshore marks " + "".join(keys[:1]).encode()).digest()

    def mark(self, text: str) -> str:
        """HMAC-SHA256 under a key made of the newest one: without it no text can be tried."""
        return hmac.new(self._marking, text.encode(), hashlib.sha256).hexdigest()

    def seal(self, values: Mapping[str, str]) -> bytes:
        """Encrypt with the newest key."""
        return self._fernet.encrypt(json.dumps(dict(values)).encode())

    def open(self, sealed: bytes) -> dict[str, str]:
        """Decrypt with whichever key fits."""
        try:
            values: dict[str, str] = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise PlatformError(
                "stored environment values cannot be decrypted with the keys at hand",
                code="wrong_key",
                hint="Put the key they were written with back into LONGSHORE_SECRET_KEYS or the file keys in the home.",
            ) from error
        return values


def read_keys(settings: Settings) -> list[str]:
    """The keys of this stack, newest first; from the setting, else from the file that ``up`` made."""
    if settings.secret_keys:
        text = settings.secret_keys.get_secret_value().replace(",", "\n")
    else:
        text = _read(settings.root / KEY_FILE)
    return [line.strip() for line in text.splitlines() if line.strip()]


def new_key() -> str:
    """A fresh random key."""
    return Fernet.generate_key().decode()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError as error:
        raise PlatformError(
            f"there is no encryption key: {path} does not exist",
            code="no_key",
            hint="`longshore up` makes one; or set LONGSHORE_SECRET_KEYS.",
        ) from error
