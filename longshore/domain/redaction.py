"""Secrets never leave: every line is redacted when it is written, not when it is shown."""

import base64
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
SHORTEST = 8  # masking shorter values would blacken ordinary words, and so tell what the value is


class Redactor:
    """Replaces known secret values in text: plain, base64 (both alphabets, at any offset) and URL-encoded.

    A value that spans lines is masked line by line too. Values under eight characters are not masked.
    """

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values for form in _forms(value)}
        # Longest first, so that a value that contains another is masked whole.
        self._forms = sorted(forms, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """The text with every known value replaced by ``[redacted]``."""
        for form in self._forms:  # a plain search each: one pattern of them all is far slower for many-line values
            if form in text:
                text = text.replace(form, MASK)
        return text


def _forms(value: str) -> set[str]:
    """All encodings of the value, and its lines as they are."""
    lines = {line.strip() for line in value.splitlines()}
    whole = _encodings(value.strip()) if len(value.strip()) >= SHORTEST else set()
    return whole | {line for line in lines if len(line) >= SHORTEST}


def _encodings(value: str) -> set[str]:
    return {value, quote(value, safe=""), quote(value), quote_plus(value), *_base64_forms(value.encode())}


def _base64_forms(raw: bytes) -> set[str]:
    """The parts of the base64 text that depend on the value alone, for each of the three byte offsets."""
    forms = set()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        skip = (0, 2, 3)[offset]
        ragged = (offset + len(raw)) % 3  # the last character mixes with whatever follows the value
        core = encoded[skip : len(encoded) - 1] if ragged else encoded[skip:]
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    return {form for form in forms if len(form) >= SHORTEST}
