"""Secrets never leave: every line is redacted when it is written, not when it is shown."""

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
SHORTEST = 8  # masking shorter values would blacken ordinary words, and so tell what the value is


class Redactor:
    """Replaces known secret values in text: plain, base64 (both alphabets, at any offset) and URL-encoded.

    A value that spans lines is masked line by line too, in all these forms. Values, and lines of values, under eight
    characters are not masked.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._forms: dict[str, list[str]] = defaultdict(list)  # by their first characters
        # Longest first, so that a value that contains another is masked whole.
        for form in sorted({form for value in values for form in _forms(value)}, key=len, reverse=True):
            self._forms[form[:SHORTEST]].append(form)

    def redact(self, text: str) -> str:
        """The text with every known value replaced by ``[redacted]``; values that overlap by one for all of them."""
        shown, done = [], 0
        for start, end in self._hidden(text):
            shown += [text[done:start], MASK]
            done = end
        return "".join([*shown, text[done:]])

    def _hidden(self, text: str) -> Iterator[tuple[int, int]]:
        """From where to where nothing may be seen. What it costs hangs on the text, not on how many forms there are:
        the lines of a key or a certificate have thousands."""
        start, end = 0, 0
        for at in range(len(text) - SHORTEST + 1) if self._forms else ():
            forms = self._forms.get(text[at : at + SHORTEST])
            found = next((form for form in forms if text.startswith(form, at)), None) if forms else None
            if found is None:
                continue
            if at >= end > start:
                yield start, end
            start, end = (at if at >= end else start), max(end, at + len(found))
        if end > start:
            yield start, end


def _forms(value: str) -> set[str]:
    """All encodings of the value, and of each of its lines."""
    pieces = {value.strip(), *(line.strip() for line in value.splitlines())}
    return {form for piece in pieces if len(piece) >= SHORTEST for form in _encodings(piece)}


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
