"""Dockerfiles for folders of static files."""

import re
import shlex

from longshore.domain.dockerfile.reading import json_table, table
from longshore.domain.dockerfile.written import USER, BaseImages, WrittenDockerfile, dockerfile, run_as_user
from longshore.domain.tree import SourceTree

PORT = 8080

_FOLDERS = ("", "public", "dist", "www", "site")
# Programs and what has to be compiled: to serve these as files would lay the source open, or show an empty page.
_NOT_STATIC = re.compile(
    r".*\.(py|php|rb|go|rs|java|kt|cs|exs?|pl|cgi|jsp|tsx?|jsx|vue|svelte|astro)"
    r"|(.*/)?(go\.mod|Gemfile|composer\.json|Cargo\.toml|pom\.xml)"
)

# A configuration of our own rather than the image's: it runs without root (all it writes is in /tmp), so dropping
# every capability does not break it, and it reads the same over the hub's image and Debian's.
_NGINX = """\
daemon off;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  charset utf-8;
  access_log /dev/stdout;
  server_tokens off;
  sendfile on;
  gzip on;
  gzip_types text/css application/javascript application/json image/svg+xml;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server {
    listen @PORT@;
    root /usr/share/nginx/html;
    absolute_redirect off;
    location / { try_files $uri $uri/ $uri.html =404; }
    location ~ /\\.(?!well-known/) { return 404; }
  }
}"""
_START = 'sed "s/@PORT@/$PORT/" /etc/nginx/longshore.conf > /tmp/nginx.conf && exec nginx -e stderr -c /tmp/nginx.conf'


def site(tree: SourceTree, images: BaseImages) -> WrittenDockerfile | None:
    """The Dockerfile that serves a folder with an ``index.html`` and no programs; hidden files are not served."""
    paths = frozenset(tree.paths())
    folder = next((f for f in _FOLDERS if f"{f}/index.html".removeprefix("/") in paths), None)
    if folder is None or not _is_static(tree, paths):
        return None
    lines = [
        f"FROM {images.static}",
        f"RUN rm -rf /usr/share/nginx/html && printf '%s\\n' {_quoted(_NGINX)} > /etc/nginx/longshore.conf",
        f"COPY --chown={USER} {folder or '.'} /usr/share/nginx/html",
        f"ENV PORT={PORT}",
        "STOPSIGNAL SIGQUIT",
        "ENTRYPOINT []",
        *run_as_user(PORT, ("sh", "-c", _START)),
    ]
    found = f"found {folder}/index.html" if folder else "found index.html"
    reasons = (f"{found} and no programs -> nginx", f"base image {images.static}")
    return WrittenDockerfile(dockerfile(lines), images.static, PORT, "static", reasons)


def _is_static(tree: SourceTree, paths: frozenset[str]) -> bool:
    built = "build" in table(json_table(tree, "package.json"), "scripts")
    return not built and not any(_NOT_STATIC.fullmatch(path) for path in paths if not _is_foreign(path))


def _is_foreign(path: str) -> bool:
    return path.startswith((".", "node_modules/"))


def _quoted(configuration: str) -> str:
    return " \\\n    ".join(shlex.quote(line.strip()) for line in configuration.splitlines())
