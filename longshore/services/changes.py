"""Changes: in what two configurations and environments differ. Values of the environment are never shown."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from longshore.domain.specs import Config
from longshore.services.context import Services

MARK_LENGTH = 12  # characters: enough to tell one value from another


class ChangedKeys(BaseModel):
    """Names of variables."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class ChangesView(BaseModel):
    """What changes, by name: fields of the configuration, and variables of the environment."""

    config: list[str]
    env: ChangedKeys


class Change(BaseModel):
    """One thing before and after. ``null``: not there."""

    old: Any
    new: Any


def names(old: tuple[Config, Mapping[str, str]], new: tuple[Config, Mapping[str, str]]) -> ChangesView:
    """Only the names of what differs."""
    return ChangesView(config=list(of_config(old[0], new[0])), env=_keys(old[1], new[1]))


def of_config(old: Config, new: Config) -> dict[str, Change]:
    """The fields that differ, with both values."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    return {
        field: Change(old=before[field], new=after[field]) for field in sorted(after) if before[field] != after[field]
    }


def of_env(services: Services, app: str, old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, Change]:
    """The variables that differ, with marks instead of their values."""
    keys = _keys(old, new)
    return {
        key: Change(old=_mark(services, app, key, old.get(key)), new=_mark(services, app, key, new.get(key)))
        for key in sorted([*keys.added, *keys.changed, *keys.removed])
    }


def _mark(services: Services, app: str, key: str, value: str | None) -> str | None:
    """Of the same value under another name, or of another app, the mark is another one."""
    return None if value is None else services.box.mark(f"{app}\0{key}\0{value}")[:MARK_LENGTH]


def _keys(old: Mapping[str, str], new: Mapping[str, str]) -> ChangedKeys:
    both = old.keys() & new.keys()
    return ChangedKeys(
        added=sorted(new.keys() - old.keys()),
        changed=sorted(key for key in both if old[key] != new[key]),
        removed=sorted(old.keys() - new.keys()),
    )
