"""The pages the router answers with itself: small, whole, and with nothing in them that came from a request."""

from html import escape
from urllib.parse import quote

TYPE = '"text/html; charset=utf-8"'
MAINTENANCE = "maintenance.html"

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34em; margin: 15vh auto 0; padding: 0 1em; color: #223 }}
h1 {{ font-size: 1.4em }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
</body>
</html>
"""
_TEXTS = {
    411: ("411 Length required", "This app limits the size of requests: say with Content-Length how large yours is."),
    413: ("413 Too large", "This request is larger than the app accepts."),
    429: ("429 Too many requests", "This app has reached its limit of requests. Try again in a moment."),
    502: ("502 No valid answer", "The app did not answer as it should. Try again in a moment."),
    503: ("503 Not available", "The app cannot be reached right now. Try again in a moment."),
    504: ("504 No answer in time", "The app took too long to answer. Try again in a moment."),
}
ERRORS = (502, 503, 504)  # the ones HAProxy makes by itself


def files() -> dict[str, str]:
    """File name → page. The one of maintenance is a template: the router puts an app's own message in."""
    pages = {name(status): _PAGE.format(title=title, text=text) for status, (title, text) in _TEXTS.items()}
    message = "%[var(txn.maintenance),url_dec]"
    return {**pages, MAINTENANCE: _PAGE.format(title="Down for maintenance", text=message)}


def name(status: int) -> str:
    """The file of a status."""
    return f"{status}.html"


def packed(message: str) -> str:
    """A message as one word of letters, digits and per cent signs: nothing in it means anything to HAProxy, neither
    in a map nor in a command; what the router unpacks is HTML that shows the message."""
    return quote(escape(message).replace("\n", "<br>"), safe="")
