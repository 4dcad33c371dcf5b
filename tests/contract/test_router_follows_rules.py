"""What the router does with the requests of an app besides passing them on, with a real HAProxy."""

import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from routed import CHECK, HOST, pid, table

from longshore.domain.ports import AppRoute
from longshore.domain.specs import Routing

HOSTILE = "a \"b\" 'c' %[src] %{x} $HOME `id` \\ \\n # ; <script>alert(1)</script> &amp;\nsecond line ]]> %41 +?é"


@pytest.fixture
def rules(router, servers):
    """Serve the app under these rules; no reload is needed for any of them."""
    router.apply(lambda: table(servers, "a"))
    before = pid(router)
    yield lambda **rules: router.apply(lambda: table(servers, "a", **rules))
    router.apply(lambda: table(servers, "a"))
    assert pid(router) == before


# Maintenance


def test_an_app_in_maintenance_says_so_and_our_probes_pass(rules, ask, router):
    rules(maintenance="Back at 14:00")
    answer = ask()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "<p>Back at 14:00</p>" in answer.text
    assert router.probe(None, HOST, CHECK).served_by == "hello_a/g1.web.1"
    rules()
    assert ask().text == "old"


def test_a_hostile_message_is_only_shown(rules, ask, router):
    rules(maintenance=HOSTILE)
    shown = ask().text
    escaped = HOSTILE.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")
    assert escaped.replace('"', "&quot;").replace("'", "&#x27;") in shown
    assert router._map("maintenance.map").keys() == {"hello"}


def test_the_longest_message_fits(rules, ask):
    rules(maintenance="'" * 500)
    assert ask().text.count("&#x27;") == 500
    rules(maintenance="\N{GRINNING FACE}" * 500)
    assert ask().text.count("\N{GRINNING FACE}") == 500


def test_a_message_outlives_a_reload(ask, router, servers):
    router.apply(lambda: table(servers, "a", maintenance=HOSTILE))
    before = ask().text
    assert "second line" in before
    router._runtime.reload()
    assert ask().text == before
    router.apply(lambda: table(servers, "a"))


# Limits


def test_a_body_that_is_too_large_is_refused(rules, client, apps):
    rules(routing=Routing(max_body="1k"))
    assert client.post("/up", content=b"x" * 1024).text == "old"
    before = apps["old"].got["POST", "/up"]
    answer = client.post("/up", content=b"x" * 1025)
    assert (answer.status_code, "larger than the app accepts" in answer.text) == (413, True)
    assert client.post("/up", content=b"x" * 3_000_000).status_code == 413
    assert apps["old"].got["POST", "/up"] == before
    rules()
    assert client.post("/up", content=b"x" * 1025).text == "old"


@pytest.mark.parametrize("length", [2**31, 2**32, 2**32 + 1, 2**63 - 1])
def test_no_length_is_so_large_that_it_counts_as_small(rules, yard, length):
    rules(routing=Routing(max_body="1k"))
    assert _status(yard, f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n") == 413


def test_a_body_of_unknown_size_is_refused_where_there_is_a_limit(rules, client):
    rules(routing=Routing(max_body="1k"))
    assert client.post("/up", content=iter([b"x" * 10])).status_code == 411
    assert client.get("/").text == "old"


def test_a_body_of_unknown_size_over_http_2_is_refused_too(rules, yard, apps):
    """What curl tells differs: it may find its connection closed while it sends. What counts is what came through."""
    rules(routing=Routing(max_body="1k"))
    before = dict(apps["old"].got)
    assert _over_http_2(yard, "-T", "-", sent=b"x" * 2000) != "200"
    assert _over_http_2(yard, "-T", "-", sent=b"x" * 300_000) != "200"
    assert _over_http_2(yard, "--data", "x" * 2000) != "200"
    assert dict(apps["old"].got) == before
    assert _over_http_2(yard, "--data", "x" * 10) == "200"
    assert _over_http_2(yard) == "200"


def test_an_answer_that_takes_too_long_is_a_504(rules, ask):
    rules(routing=Routing(timeout=0.3))
    answer = ask("/slow")
    assert (answer.status_code, "took too long" in answer.text) == (504, True)
    rules()
    assert ask("/slow").status_code == 200


def test_more_requests_a_second_than_declared_are_refused(rules, client, router):
    rules(max_rps=5.0)
    answers = [client.get("/") for _ in range(30)]
    refused = [one for one in answers if one.status_code == 429]
    assert 5 <= len(answers) - len(refused) < 30
    assert refused[-1].headers["retry-after"] == "1"
    assert router.probe(None, HOST, CHECK).served_by == "hello_a/g1.web.1"  # ours pass, and do not count
    rules()
    assert client.get("/").text == "old"


def test_what_was_refused_does_not_count(rules, client):
    """An app under twice its limit still gets all it may."""
    rules(max_rps=20.0)
    end, served = time.monotonic() + 3, 0
    while time.monotonic() < end:
        served += client.get("/").status_code == 200
        time.sleep(0.01)
    assert 35 <= served <= 85


# Pages of our own


def test_an_app_without_a_server_that_answers_gets_our_page(router, servers, ask):
    router.apply(lambda: table(servers, "a", a=()))
    answer = ask()
    assert (answer.status_code, "cannot be reached" in answer.text) == (503, True)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_an_app_that_does_not_answer_gets_our_page(both, client):
    answer = client.post("/silent")
    assert (answer.status_code, "did not answer as it should" in answer.text) == (502, True)


# Nothing is sent twice that may not be


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_request_that_is_not_idempotent_is_never_sent_twice(both, client, apps, method):
    before = apps["old"].got[method, "/silent"]
    assert client.request(method, "/silent", content=b"pay").status_code == 502
    assert apps["old"].got[method, "/silent"] - before == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_one_that_only_asks_is_asked_once_more(both, client, apps, method):
    before = apps["old"].got[method, "/silent"]
    assert client.request(method, "/silent").status_code == 502
    assert apps["old"].got[method, "/silent"] - before == 2


# What reaches the app


def test_the_app_learns_who_asks_and_nobody_else_says_it(both, client):
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example.com",
        "X-Real-IP": "6.6.6.6",
        "X_Forwarded_For": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X-Longshore-Probe": "guessed",
    }
    got = {name.lower(): value for name, value in client.get("/headers", headers=lies).json().items()}
    assert (got["x-forwarded-for"], got["x-real-ip"], got["x-forwarded-proto"]) == ("127.0.0.1", "127.0.0.1", "http")
    assert not [value for value in got.values() if "6.6.6.6" in value or "evil" in value or "guessed" in value]


def test_http_2_passes(both, yard):
    assert _over_http_2(yard) == "200"


def test_a_websocket_passes_and_outlives_the_switch(both, servers, yard):
    with socket.create_connection(("127.0.0.1", yard.settings.router_port), timeout=5) as talk:
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        talk.sendall(f"GET /talk HTTP/1.1\r\nHost: {HOST}\r\n{upgrade}{key}\r\n".encode())
        assert talk.recv(1000).startswith(b"HTTP/1.1 101")
        both.apply(lambda: table(servers, "b", leaving=("old",)))
        talk.sendall(b"still here")
        assert talk.recv(100) == b"STILL HERE"


def _status(yard, request: str) -> int:
    with socket.create_connection(("127.0.0.1", yard.settings.router_port), timeout=5) as asking:
        asking.sendall(request.encode())
        return int(asking.recv(1000).split()[1])


def _over_http_2(yard, *options: str, sent: bytes = b"") -> str:
    url = f"http://127.0.0.1:{yard.settings.router_port}/"
    command = ["curl", "-s", "--http2-prior-knowledge", "-H", f"Host: {HOST}", "-o", "/dev/null"]
    ran = subprocess.run([*command, "-w", "%{http_code}", *options, url], input=sent, capture_output=True, check=False)
    return ran.stdout.decode()


def test_the_rules_are_the_apps_own(client, router, servers):
    other = table(servers, "b")[0]
    closed = table(servers, "a", maintenance="away", max_rps=1.0)[0]
    other = replace(other, app="other", domains=("other.localhost",))
    router.apply(lambda: [closed, other])
    assert [client.get("/", headers={"host": "other.localhost"}).text for _ in range(5)] == ["new"] * 5


def test_a_route_is_added_to_many_others_and_no_request_is_lost(router, servers, yard):
    others = [
        AppRoute(f"app{number}", (f"app{number}.localhost",), "a", {"a": (servers["new"],)}) for number in range(300)
    ]
    router.apply(lambda: [*table(servers, "a"), *others])
    over, failed, served = threading.Event(), [], []

    def load() -> None:
        with httpx.Client(trust_env=False) as kept:
            while not over.is_set():
                answer = kept.get(f"http://127.0.0.1:{yard.settings.router_port}/", headers={"host": HOST})
                (served if answer.status_code == 200 else failed).append(answer.status_code)

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(load) for _ in range(4)]
        for number in range(3):
            one = AppRoute(f"more{number}", (f"more{number}.localhost",), "a", {"a": (servers["new"],)})
            router.apply(lambda one=one: [*table(servers, "a"), *others, one])
            assert router.probe(None, f"more{number}.localhost", CHECK).status == 200
        over.set()
    assert [client.exception() for client in clients] == [None] * 4
    assert failed == []
    assert len(served) > 10
