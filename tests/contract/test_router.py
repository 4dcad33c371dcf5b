"""The router with a real HAProxy in a stack of its own, made the way a stack makes it."""

import socket
import threading
import time

import httpx
import pytest
from routed import CHECK, HOST, alive, pid, table, until

from longshore.adapters.listening import is_taken
from longshore.adapters.probing import SocketProber
from longshore.adapters.router import HAProxyRouter
from longshore.domain.ports import AppRoute, Counters
from longshore.domain.specs import HealthCheck
from longshore.errors import PartDownError, PlatformError
from longshore.testing import FakeRouter


def test_an_app_is_added_and_answers(router, servers, ask):
    router.apply(lambda: table(servers, "a", b=()))
    assert ask().text == "old"


def test_the_switch_and_the_way_back(both, servers, ask):
    both.apply(lambda: table(servers, "b"))
    assert ask().text == "new"
    both.apply(lambda: table(servers, "a"))
    assert ask().text == "old"


def test_the_switch_is_no_reload(both, servers):
    before = pid(both)
    both.apply(lambda: table(servers, "b"))
    assert pid(both) == before


def test_a_host_name_that_is_nobodys_is_a_404(both, ask):
    assert ask(host="nobody.localhost").status_code == 404


def test_an_app_that_is_not_live_says_so(router, servers, ask):
    router.apply(lambda: table(servers, None))
    assert ask().status_code == 503


def test_a_probe_says_who_answered_and_reaches_a_slot_that_is_not_live(both):
    assert both.probe(None, HOST, CHECK).served_by == "hello_a/g1.web.1"
    other = both.probe("b", HOST, HealthCheck(body="new"))
    assert (other.body, other.served_by) == ("new", "hello_b/g2.web.1")


def test_nobody_else_learns_who_answered_or_chooses_a_slot(both, yard):
    headers = {"host": HOST, "x-longshore-slot": "b", "x-longshore-probe": "guessed"}
    answer = httpx.get(f"http://127.0.0.1:{yard.settings.router_port}/", headers=headers, trust_env=False)
    assert answer.text == "old"
    assert "x-longshore-served-by" not in answer.headers


def _share_of(router: HAProxyRouter | FakeRouter, probes: int) -> float:
    """The part of our probes that the slot which is not live answers."""
    return sum(router.probe(None, HOST, CHECK).served_by.startswith("hello_b") for _ in range(probes)) / probes


def test_a_share_of_the_requests_goes_to_the_other_slot(both, servers):
    before = pid(both)
    both.apply(lambda: table(servers, "a", share=100))
    assert abs(_share_of(both, 2000) - 0.1) < 0.03
    assert pid(both) == before


def test_a_share_of_nothing_and_a_share_of_all(both, servers):
    both.apply(lambda: table(servers, "a", share=1000))
    assert _share_of(both, 50) == 1
    assert both.probe("a", HOST, CHECK).served_by == "hello_a/g1.web.1"
    both.apply(lambda: table(servers, "a"))
    assert _share_of(both, 50) == 0


def test_a_switch_ends_the_share(both, servers, ask):
    both.apply(lambda: table(servers, "a", share=1000))
    both.apply(lambda: table(servers, "b"))
    assert {ask().text for _ in range(20)} == {"new"}


def test_a_loser_of_a_share_is_drained_when_its_share_is_over(both, servers, ask):
    both.apply(lambda: table(servers, "a", share=1000))
    both.apply(lambda: table(servers, "a", leaving=("new",)))
    assert ask().text == "old"
    assert both._runtime.servers()["hello_b"]["g2.web.1"].draining


def test_counters_tell_requests_and_errors_of_each_slot(both, servers, ask):
    before = both.counters()
    assert [ask().status_code for _ in range(5)] == [200] * 5
    both.apply(lambda: table(servers, "b", b=()))
    assert ask().status_code == 503
    after = both.counters()
    assert after["hello", "a"].requests - before["hello", "a"].requests == 5
    assert after["hello", "a"].errors == before["hello", "a"].errors
    assert after["hello", "b"].errors - before["hello", "b"].errors == 1


def test_the_fake_keeps_to_shares_and_counts(servers):
    fake = FakeRouter(SocketProber())
    fake.apply(lambda: table(servers, "a", share=100))
    assert _share_of(fake, 200) == 0.1
    assert fake.counters()["hello", "b"].requests == 20
    fake.apply(lambda: table(servers, "b", b=()))
    assert fake.probe(None, HOST, CHECK).status == 503
    assert fake.counters()["hello", "b"] == Counters(21, 1, 0.0)


def test_a_draining_server_finishes_its_request_and_gets_no_new_one(both, servers, ask):
    slow: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: slow.append(ask("/slow")))
    asking.start()
    until(lambda: both.sessions("hello", "a", "g1.web.1") == 1)
    both.apply(lambda: table(servers, "b", leaving=("old",)))
    assert ask().text == "new"
    asking.join()
    assert slow[0].text == "old"
    until(lambda: both.sessions("hello", "a", "g1.web.1") == 0)


def test_a_server_that_is_gone_is_gone_from_the_router(both, servers):
    both.apply(lambda: table(servers, "b", leaving=("old",)))
    both.apply(lambda: table(servers, "b", a=()))
    until(lambda: "g1.web.1" not in both._runtime.servers()["hello_a"] or both.apply(lambda: table(servers, "b", a=())))
    assert "g2.web.1" in both._runtime.servers()["hello_b"]


def test_a_request_before_a_reload_still_counts(both, servers, ask):
    asking = threading.Thread(target=lambda: ask("/slow"))
    asking.start()
    until(lambda: both.sessions("hello", "a", "g1.web.1") == 1)
    assert both._runtime.reload() is None
    assert both.sessions("hello", "a", "g1.web.1") == 1
    asking.join()


def test_a_reload_keeps_every_route(both, ask):
    assert both._runtime.reload() is None
    assert ask().text == "old"


def test_an_app_that_comes_later_leaves_the_others_alone(both, servers, ask):
    other = AppRoute("other", ("other.localhost",), "a", {"a": (servers["new"],), "b": ()})
    both.apply(lambda: [*table(servers, "a"), other])
    assert (ask().text, ask(host="other.localhost").text) == ("old", "new")
    both.apply(lambda: table(servers, "a"))
    assert ask(host="other.localhost").status_code == 404


def test_what_somebody_changed_by_hand_is_put_right(both, servers, ask):
    both._runtime.ask("set map /etc/longshore/live.map hello b")
    both._runtime.ask("set server hello_a/g1.web.1 state drain")
    both.apply(lambda: table(servers, "a"))
    assert ask().text == "old"


class DiedError(BaseException):
    """What a SIGKILL is to the code it hits."""


def test_whoever_dies_between_two_commands_leaves_what_the_next_look_completes(router, servers, ask, monkeypatch):
    said, deaths = type(router._runtime).ask, 0
    for lives in range(1, 100):
        left = iter(range(lives))

        def ask_while_alive(runtime, command: str, left=left) -> str:
            if next(left, None) is None:
                raise DiedError
            return said(runtime, command)

        router.apply(lambda: table(servers, "a", b=()))
        with monkeypatch.context() as patched:
            patched.setattr(type(router._runtime), "ask", ask_while_alive)
            try:
                router.apply(lambda: table(servers, "b"))
            except DiedError:
                deaths += 1
            else:
                break
        before = pid(router)
        router.apply(lambda: table(servers, "b"))
        assert (ask().text, pid(router)) == ("new", before), f"died after {lives} commands"
    assert deaths > 8


def _until_more(served: list[str], count: int) -> None:
    """A few more answers have come: without that, twenty switches may pass between two requests."""
    wanted, end = len(served) + count, time.monotonic() + 10
    while len(served) < wanted:
        assert time.monotonic() < end, "no answers come"
        time.sleep(0.002)


def test_no_request_fails_during_twenty_switches(both, servers, yard):
    stop, failed, served = threading.Event(), [], []

    def load() -> None:
        url = f"http://127.0.0.1:{yard.settings.router_port}/"
        with httpx.Client(trust_env=False) as client:
            while not stop.is_set():
                try:
                    answer = client.get(url, headers={"host": HOST})
                    served.append(answer.text)
                    failed.extend([answer.status_code] if answer.status_code != 200 else [])
                except httpx.HTTPError as error:
                    failed.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(20):
        both.apply(lambda slot="ba"[turn % 2]: table(servers, slot))
        _until_more(served, 5)
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert {"old", "new"} == set(served)


def test_a_router_that_is_started_again_has_every_route(both, servers, yard, ask):
    both.apply(lambda: table(servers, "b"))
    yard.engine.stop(f"{yard.stack}.router", 2)
    assert not alive(both)
    with pytest.raises(PartDownError):
        both.apply(lambda: table(servers, "a"))
    yard.parts.ensure()
    until(lambda: alive(both))
    assert ask().text == "old"  # what was written while it was away


def test_a_port_that_somebody_else_has_is_named(both, yard):
    yard.connection.client.remove_container(f"{yard.settings.stack}.router", force=True)
    port = yard.settings.router_port
    until(lambda: not is_taken("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PlatformError) as caught:
        yard.parts.ensure()
    assert (caught.value.code, str(port) in str(caught.value)) == ("port_taken", True)
    yard.parts.ensure()
    until(lambda: alive(both))


def test_ensure_leaves_what_is_right_alone(both, yard):
    before = yard.engine.find(f"{yard.stack}.router").id
    yard.parts.ensure()
    assert yard.engine.find(f"{yard.stack}.router").id == before
