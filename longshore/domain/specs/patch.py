"""JSON merge patches (RFC 7396)."""

from typing import Any


def compose_patches(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """One patch that does what the first and then the second would do: their nulls stay."""
    composed = dict(first)
    for key, value in second.items():
        below = composed.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        composed[key] = compose_patches(below, value) if both else value  # type: ignore[arg-type]
    return composed


def merge_patch(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7396): null removes, objects merge, anything else replaces."""
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            below = merged.get(key)
            merged[key] = merge_patch(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged
