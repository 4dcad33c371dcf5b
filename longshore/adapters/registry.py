"""A registry over its HTTP API (distribution specification v2): is it there, and what digest has a tag."""

import re

import httpx

from longshore.domain.image_reference import HUB, HUB_REGISTRY
from longshore.errors import PartDownError, PlatformError, TransientError
from longshore.settings import Settings

ACCEPT = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class HttpRegistry:
    """The stack's own registry, or one of the operator's with credentials."""

    def __init__(self, settings: Settings) -> None:
        self.prefix = settings.image_prefix
        named = self.prefix.partition("/")[0]
        self._host = HUB_REGISTRY if named == HUB else named
        plain = settings.registry_insecure or self._host.startswith(("127.", "localhost"))
        self._base = f"{'http' if plain else 'https'}://{self._host}"
        self._auth = _credentials(settings)
        self._client = httpx.Client(timeout=10, trust_env=not plain, verify=not plain)

    def digest(self, repository: str, version: str) -> str | None:
        """The manifest's digest by HEAD; ``None`` when it is not there. 401, 429 and 5xx are never "not there"."""
        response = self._get("HEAD", f"/v2/{repository}/manifests/{version}", f"repository:{repository}:pull")
        if response.status_code == 404:
            return None
        if response.status_code in (401, 403):
            raise PlatformError(
                f"the registry {self._host} refuses to show {repository}",
                code="registry_refused",
                hint="Look at LONGSHORE_REGISTRY_USERNAME and LONGSHORE_REGISTRY_PASSWORD.",
            )
        if response.status_code != 200:
            raise TransientError(f"the registry answered {response.status_code}", code="registry_error")
        digest: str | None = response.headers.get("docker-content-digest")
        return digest

    def ping(self) -> None:
        """Raise ``PartDownError`` unless it answers; being asked for credentials is an answer."""
        response = self._request("GET", "/v2/", None)
        if response.status_code not in (200, 401):
            raise _down(self._host, f"answered {response.status_code}")

    def _get(self, method: str, path: str, scope: str) -> httpx.Response:
        response = self._request(method, path, None)
        if response.status_code == 401 and self._auth:
            response = self._request(method, path, self._authorization(response, scope))
        return response

    def _request(self, method: str, path: str, authorization: str | None) -> httpx.Response:
        headers = {"accept": ACCEPT, **({"authorization": authorization} if authorization else {})}
        try:
            return self._client.request(method, self._base + path, headers=headers)
        except httpx.HTTPError as error:
            raise _down(self._host, "does not answer") from error

    def _authorization(self, refused: httpx.Response, scope: str) -> str | None:
        """Basic, or a bearer token fetched from the realm that the challenge names (which must be https, or ours)."""
        scheme, _, rest = refused.headers.get("www-authenticate", "").partition(" ")
        if scheme.lower() != "bearer" or self._auth is None:
            return self._auth._auth_header if self._auth else None
        facts = dict(_CHALLENGE.findall(rest))
        realm = facts.get("realm", "")
        if not realm.startswith(("https://", f"{self._base}/")):
            return None
        try:
            wanted = {"service": facts.get("service", ""), "scope": scope}
            answer = self._client.get(realm, params=wanted, auth=self._auth)
        except httpx.HTTPError as error:
            raise _down(self._host, "sends us to a token server that does not answer") from error
        if answer.status_code != 200:
            return None
        granted = answer.json()
        return f"Bearer {granted.get('token') or granted.get('access_token')}"


def _credentials(settings: Settings) -> httpx.BasicAuth | None:
    if settings.registry_username is None or settings.registry_password is None:
        return None
    return httpx.BasicAuth(settings.registry_username, settings.registry_password.get_secret_value())


def _down(host: str, what: str) -> PartDownError:
    hint = "`longshore up` starts the stack's own, and a worker keeps it; else look at LONGSHORE_REGISTRY."
    return PartDownError("registry", f"the registry {host} {what}", hint=hint)
