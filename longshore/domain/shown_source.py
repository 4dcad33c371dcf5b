"""Sources as outsiders may see them: without the logins in their URLs. Pure."""

from typing import Any


def public_source(source: dict[str, Any]) -> dict[str, Any]:
    """A source without the login in its git URL."""
    if "git" in source:
        return {**source, "git": {**source["git"], "url": without_password(source["git"]["url"])}}
    return source


def shown_source(source: dict[str, Any]) -> dict[str, Any]:
    """A source as outsiders see it: of an upload what it was called, not where it lies."""
    return {"upload": source.get("name") or "archive"} if "upload" in source else source


def without_password(url: str) -> str:
    """A URL as it may be shown. Over http(s) a user without a password is a token, so it is hidden as well."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    name, colon, _ = user.partition(":")
    if not (separator and at) or not (colon or scheme.lower().startswith("http")):
        return url
    return f"{scheme}://{name + ':' if colon else ''}***@{host}{slash}{path}"
