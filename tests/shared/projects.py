"""Small programs to deploy. They need nothing but the Python of the base image, so that they build in moments."""

from textwrap import dedent

DOCKERFILE = 'FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\nENV PYTHONUNBUFFERED=1\nCMD ["python", "app.py"]\n'

SERVER = """\
import os, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = {body}.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

class Server(ThreadingHTTPServer):
    request_queue_size = 128

print("ready to serve", flush=True)
servers = [Server(address, Handler) for address in {addresses}]
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
"""


ON_PORT = '[("0.0.0.0", int(os.environ["PORT"]))]'


def program(code: str) -> dict[str, str]:
    """A program with a Dockerfile around it."""
    return {"Dockerfile": DOCKERFILE, "app.py": dedent(code)}


def web(text: str, addresses: str = ON_PORT) -> dict[str, str]:
    """A web server that says one thing."""
    return program(SERVER.format(body=repr(text), addresses=addresses))


def echo() -> dict[str, str]:
    """A web server that answers with the headers it was asked with."""
    return program(SERVER.format(body="str(self.headers)", addresses=ON_PORT))


def listening_on(*ports: int, host: str = "0.0.0.0") -> dict[str, str]:
    """A web server that does not care for ``$PORT``."""
    return web("elsewhere", str([(host, port) for port in ports]))


def steps(*lines: str) -> dict[str, str]:
    """A Dockerfile with these instructions."""
    return {"Dockerfile": "\n".join(["FROM python:3.13-slim", *lines, 'CMD ["python", "-m", "http.server", "80"]', ""])}


DJANGO = {
    "requirements.txt": "django\n",
    "manage.py": dedent("""\
        import os, sys
        from django.core.management import execute_from_command_line
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
        execute_from_command_line(sys.argv)
        """),
    "shop/__init__.py": "",
    "shop/settings.py": dedent("""\
        SECRET_KEY = "only-a-test"
        ALLOWED_HOSTS = ["*"]
        ROOT_URLCONF = "shop.urls"
        WSGI_APPLICATION = "shop.wsgi.application"
        """),
    "shop/urls.py": dedent("""\
        from django.http import HttpResponse
        from django.urls import path
        urlpatterns = [path("", lambda request: HttpResponse("Django serves"))]
        """),
    "shop/wsgi.py": dedent("""\
        import os
        from django.core.wsgi import get_wsgi_application
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
        application = get_wsgi_application()
        """),
}

FASTAPI = {
    "requirements.txt": "fastapi\n",
    "main.py": dedent("""\
        from fastapi import FastAPI
        from fastapi.responses import PlainTextResponse

        app = FastAPI()

        @app.get("/", response_class=PlainTextResponse)
        def home() -> str:
            return "FastAPI serves"
        """),
}

STATIC = {"index.html": "<h1>Files are served</h1>\n", "style.css": "h1 { color: navy }\n"}

NODE = {
    "package.json": '{"private": true, "scripts": {"start": "node server.js"}, "dependencies": {"ms": "2"}}',
    "server.js": dedent("""\
        const ms = require("ms");
        require("http").createServer((_, answer) => answer.end(`Node serves ${ms("1m")}`)).listen(process.env.PORT);
        """),
}
