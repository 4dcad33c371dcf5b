"""What adapters write and read as text: router files and answers, build news, socket tables, sealed values."""

import base64
import dataclasses
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from longshore.adapters.builder import buildx, engine_api
from longshore.adapters.builder.classic import _Words
from longshore.adapters.builder.failure import build_failed
from longshore.adapters.builder.trace import StatusResponse, Trace
from longshore.adapters.engine import listeners
from longshore.adapters.engine.images import Credentials, _not_pulled, _not_pushed
from longshore.adapters.router import config
from longshore.adapters.router.haproxy import _additions, _drains, _stands
from longshore.adapters.router.runtime import LiveServer, Runtime
from longshore.adapters.secret_box import FernetBox, new_key
from longshore.domain.image_reference import ImageReference
from longshore.domain.ports import AppRoute, BuildLine, Counters, Listener, RouteServer
from longshore.errors import AppError, DiskFullError, PartDownError, PlatformError, TransientError

OLD, NEW = RouteServer("g1.web.1", "10.64.0.3", 80), RouteServer("g2.web.1", "10.64.0.4", 5000)
LEAVING = RouteServer("g1.web.1", "10.64.0.3", 80, draining=True)


def route(live: str | None = "a", a=(OLD,), b=()) -> AppRoute:
    return AppRoute("hello", ("hello.localhost", "shop.example.com"), live, {"a": a, "b": b})


# The router's files


def rendered(table: list[AppRoute]) -> dict[str, str]:
    return config.render(table, "key", ["127.0.0.1:8080"])


def test_the_same_table_gives_the_same_files():
    assert rendered([route()]) == rendered([route()])


def test_an_app_has_two_slots_and_its_host_names_lead_to_it():
    files = rendered([route(b=(NEW,))])
    assert files["hosts.map"] == "hello.localhost hello\nshop.example.com hello\n"
    assert files["live.map"] == "hello a\n"
    assert "backend hello_a\n    server g1.web.1 10.64.0.3:80 check" in files["haproxy.cfg"]
    assert "backend hello_b\n    server g2.web.1 10.64.0.4:5000 check" in files["haproxy.cfg"]


def test_an_app_that_is_not_live_has_host_names_and_no_live_slot():
    files = rendered([route(live=None, a=())])
    assert files["live.map"] == ""
    assert "backend hello_a\n" in files["haproxy.cfg"]


def test_a_draining_server_is_not_in_the_file_a_router_starts_with():
    assert "g1.web.1" not in rendered([route(a=(LEAVING,))])["haproxy.cfg"]


def test_a_switch_changes_one_line_of_one_map():
    before, after = (rendered([route(live, b=(NEW,))]) for live in "ab")
    assert {name for name in before if before[name] != after[name]} == {"live.map"}


def test_a_share_belongs_to_the_slot_that_is_live():
    shared = dataclasses.replace(route(b=(NEW,)), share=100)
    assert rendered([shared])["share.map"] == "hello_a 100\n"
    assert rendered([route(), dataclasses.replace(shared, live=None)])["share.map"] == ""


def test_both_slots_serve_while_there_is_a_share():
    assert config.serving({"hello": "a", "other": "b"}, {"hello_a"}) == {"hello_a", "hello_b", "other_b"}
    assert config.serving({"hello": "b"}, {"hello_a"}) == {"hello_b"}  # a share that a switch left behind


# What the running router is told


def test_a_new_server_is_added_checked_and_enabled():
    commands = list(_additions([route(b=(NEW,))], {"hello_a": {"g1.web.1": LiveServer("10.64.0.3", 80, False)}}))
    assert [command.partition(" ")[0] for command in commands] == ["add", "enable", "enable"]
    assert commands[0].startswith("add server hello_b/g2.web.1 10.64.0.4:5000")


def test_a_loser_in_the_slot_to_be_switched_to_is_drained_before_the_switch():
    running = {"hello_a": {"g1.web.1": LiveServer("10.64.0.3", 80, False)}}
    drained = ["set server hello_a/g1.web.1 state drain"]
    assert list(_drains([route(a=(LEAVING,), b=(NEW,))], running, leave={"hello_b"})) == drained


def test_a_loser_that_still_has_the_traffic_is_not_drained_before_the_switch():
    running = {"hello_a": {"g1.web.1": LiveServer("10.64.0.3", 80, False)}}
    assert list(_drains([route(a=(LEAVING,), b=(NEW,))], running, leave={"hello_a"})) == []


def test_a_server_stands_when_address_port_and_drain_agree():
    assert _stands({"g1.web.1": LiveServer("10.64.0.3", 80, False)}, OLD)
    assert not _stands({"g1.web.1": LiveServer("10.64.0.9", 80, False)}, OLD)
    assert not _stands({"g1.web.1": LiveServer("10.64.0.3", 80, True)}, OLD)
    assert not _stands({}, OLD)
    assert _stands({}, LEAVING)


# What the running router answers

STATE = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since ...
4 hello_a 1 g1.web.1 10.64.0.3 2 0 1 1 7 6 3 4 6 0 0 0 - 80 - 0 0 - - 0
5 hello_b 1 g2.web.1 10.64.0.4 2 8 1 1 7 6 3 4 6 0 0 0 - 5000 - 0 0 - - 0
"""
PROCS = """#<PID>          <type>          <reloads>       <uptime>        <version>
1               master          2               0d00h01m00s     3.0.5
# workers
40              worker          0               0d00h00m10s     3.0.5
# old workers
21              worker          1               0d00h00m40s     3.0.5
8               worker          2               0d00h01m00s     3.0.5
# programs
"""
SESSIONS = """0x1: proto=tcpv4 src=1.2.3.4:5 fe=apps be=hello_a srv=g1.web.1 ts=00
0x2: proto=tcpv4 src=1.2.3.4:6 fe=apps be=hello_a srv=g1.web.10 ts=00
0x3: proto=tcpv4 src=1.2.3.4:7 fe=apps be=hello_b srv=g1.web.1 ts=00
"""
STAT = "# pxname,svname,qcur,qmax,scur,smax\nhello_a,g1.web.1,0,0,3,9\nhello_a,g1.web.10,0,0,7,9\n"
COUNTS = """# pxname,svname,stot,hrsp_5xx,ttime,
hello_a,BACKEND,20,3,12,
hello_b,BACKEND,0,0,0,
"""
ANSWERS = {
    "show stat -1 2 -1": COUNTS,
    "show servers state": STATE,
    "show backend": "# name\nnowhere\nhello_a\nhello_b\nempty_a\n",
    "show map /etc/longshore/live.map": "0x1 hello a\n0x2 other b\n\n",
    "show proc": PROCS,
    "show stat -1 4 -1": STAT,
}


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    from longshore.adapters.router import runtime as module

    told: list[str] = []

    def talk(path, command):
        told.append(command)
        return SESSIONS if command.endswith("show sess") else ANSWERS.get(command, "")

    monkeypatch.setattr(module, "_talk", talk)
    ours = Runtime(tmp_path)
    ours.told = told
    return ours


def test_servers_are_read_with_address_port_and_drain(runtime):
    assert runtime.servers() == {
        "nowhere": {},
        "empty_a": {},
        "hello_a": {"g1.web.1": LiveServer("10.64.0.3", 80, False)},
        "hello_b": {"g2.web.1": LiveServer("10.64.0.4", 5000, True)},
    }


def test_a_map_is_read(runtime):
    assert runtime.map("/etc/longshore/live.map") == {"hello": "a", "other": "b"}


def test_sessions_count_in_this_worker_and_in_those_before_a_reload(runtime):
    assert runtime.sessions("hello_a", "g1.web.1") == 3 + 2
    assert [c for c in runtime.told if c.startswith("@!")] == ["@!21 show sess", "@!8 show sess"]


def test_counters_are_read_for_all_backends_at_once(runtime):
    assert runtime.counters() == {"hello_a": Counters(20, 3, 0.012), "hello_b": Counters(0, 0, 0.0)}


def test_a_router_that_refuses_a_command_says_so(runtime, monkeypatch):
    monkeypatch.setitem(ANSWERS, "add server x", "No such backend.\n")
    with pytest.raises(TransientError, match="refused `add`: No such backend"):
        runtime.tell("add server x")


def test_a_router_whose_socket_is_not_there_is_down(tmp_path):
    with pytest.raises(PartDownError) as caught:
        Runtime(tmp_path).ask("show info")
    assert caught.value.part == "router"


# BuildKit's trace


def status(**facts) -> bytes:
    message = StatusResponse()
    vertex = message.vertexes.add(digest="sha256:1", name="[2/3] RUN pip install", **facts)
    vertex.started.FromSeconds(1_000)
    return message.SerializeToString()


def log_of(*texts: bytes) -> bytes:
    message = StatusResponse()
    for text in texts:
        message.logs.add(vertex="sha256:1", msg=text)
    return message.SerializeToString()


def test_a_step_is_read_with_its_times_and_cache():
    (step,) = Trace().read(status(cached=True))
    assert (step.key, step.name, step.cached, step.error) == ("sha256:1", "[2/3] RUN pip install", True, None)
    assert step.started_at == datetime.fromtimestamp(1_000, UTC)
    assert step.ended_at is None


def test_lines_are_put_together_over_messages():
    trace = Trace()
    assert list(trace.read(log_of(b"one\ntw"))) == [BuildLine("one", "sha256:1")]
    assert list(trace.read(log_of(b"o\n"))) == [BuildLine("two", "sha256:1")]


def test_a_line_that_never_ends_is_told_all_the_same():
    (line,) = Trace().read(log_of(b"x" * 20_000))
    assert len(line.text) == 20_000


def test_the_step_that_failed_is_remembered_and_a_cancelled_one_is_not_it():
    trace = Trace()
    list(trace.read(status(error="exit code: 1")))
    assert trace.failed == "[2/3] RUN pip install"
    other = Trace()
    list(other.read(status(error="context canceled")))
    assert other.failed is None


def test_what_is_no_trace_is_refused():
    with pytest.raises(PlatformError, match="cannot be read"):
        list(Trace().read(b"\xff\xff\xff"))


def test_an_error_in_the_stream_of_the_engine_names_the_step():
    aux = base64.b64encode(status(error="exit code: 1")).decode()
    sent = [{"id": "moby.buildkit.trace", "aux": aux}, {"error": "exit code: 1"}]
    news = engine_api.read_news(sent)
    assert next(news).error == "exit code: 1"
    with pytest.raises(AppError, match=r"failed at: \[2/3\] RUN pip install: exit code: 1"):
        next(news)


# buildx


def objects(*lines: str) -> tuple[list[dict], list[str]]:
    errors: list[str] = []
    return list(buildx._objects([line.encode() for line in lines], errors)), errors


def test_json_objects_are_read_however_they_are_spread_over_lines():
    found, errors = objects('{"a": 1}{"b":\n', "2}\n", '{"c": "}{"}\n')
    assert (found, errors) == ([{"a": 1}, {"b": 2}, {"c": "}{"}], [])


def test_a_line_in_words_is_an_error():
    assert objects('{"a": 1}\n', "ERROR: no such file\n") == ([{"a": 1}], ["ERROR: no such file"])


def test_buildx_news_are_the_same_news():
    data = base64.b64encode(b"hello\n").decode()
    step = {"digest": "sha256:1", "name": "[1/1] RUN x", "started": "2026-01-01T00:00:00.123456789Z", "error": "bad"}
    lines = [json.dumps({"vertexes": [step], "logs": [{"vertex": "sha256:1", "data": data}]}).encode(), b"ERROR: bad\n"]
    process = SimpleNamespace(stderr=lines, wait=lambda: 1)
    news = buildx._news(process)
    assert next(news).started_at.year == 2026
    assert next(news) == BuildLine("hello", "sha256:1")
    with pytest.raises(AppError, match=r"failed at: \[1/1\] RUN x: ERROR: bad"):
        next(news)


def test_the_values_of_build_arguments_are_not_in_argv(tmp_path):
    from longshore.domain.ports import BuildRequest

    request = BuildRequest(tmp_path, "Dockerfile", "t:1", {}, args={"TOKEN": "hunter2"})
    rung = buildx.BuildxRung("unix:///x", SimpleNamespace(cgroup_parent=None))
    assert "hunter2" not in " ".join(rung._argv(request))
    assert rung._env(request)["TOKEN"] == "hunter2"


# The classic builder


def test_the_words_of_the_old_builder_become_steps():
    stream = [
        "Step 1/2 : FROM x\n",
        " ---> abc\n",
        "Step 2/2 : RUN y\n",
        " ---> Using cache\n",
        "Successfully built 123\n",
    ]
    news = list(_Words().read({"stream": line} for line in stream))
    ended = [step for step in news if not isinstance(step, BuildLine) and step.ended_at]
    assert [(step.name, step.cached) for step in ended] == [("[1] FROM x", False), ("[2] RUN y", True)]


def test_the_old_builder_names_the_step_that_failed():
    with pytest.raises(AppError, match=r"failed at: \[1\] RUN false"):
        list(_Words().read([{"stream": "Step 1/1 : RUN false\n"}, {"error": "returned a non-zero code: 1"}]))


# Whose fault

FAULTS = {
    "write: no space left on device": (DiskFullError, "disk_full"),
    "failed to resolve source metadata for docker.io/library/nope:1: not found": (AppError, "no_base_image"),
    "read tcp: connection reset by peer": (TransientError, "build_interrupted"),
    "process did not complete: exit code: 1": (AppError, "build_failed"),
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_failed_builds_words_say_whose_fault_it_is(text):
    error = build_failed(text)
    assert (type(error), error.code) == FAULTS[text]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("manifest unknown", AppError),
        ("pull access denied", AppError),
        ("TLS handshake timeout", TransientError),
        ("no space left on device", DiskFullError),
    ],
)
def test_a_failed_pulls_words_say_whose_fault_it_is(text, kind):
    assert type(_not_pulled(ImageReference.parse("a:1"), text, Credentials())) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [("unauthorized", PlatformError), ("connect: connection refused", PartDownError), ("EOF", TransientError)],
)
def test_a_failed_pushs_words_say_whose_fault_it_is(text, kind):
    assert type(_not_pushed(ImageReference.parse("a:1"), text)) is kind


# Sockets

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2
   2: 0300400A:0050 0400400A:D431 01 00000000:00000000 00:00000000 00000000     0        0 3
   3: 0B00007F:9C41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4
"""
TCP6 = "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0 0 0 0 0 5\n"
ANY6 = "   0: 00000000000000000000000000000000:1388 00000000000000000000000000000000:0000 0A 0 0 0 0 0 6\n"


def test_listening_sockets_are_read_and_the_engines_own_dns_is_not_one():
    assert listeners.parse(TCP) == [Listener(80, False), Listener(5000, True)]


def test_loopback_is_known_in_ipv6_too_and_one_open_address_is_enough():
    assert listeners.parse(TCP6) == [Listener(8080, True)]
    assert listeners.parse(TCP + ANY6) == [Listener(80, False), Listener(5000, False)]


# Sealed values


def test_what_is_sealed_does_not_show_and_can_be_opened():
    box = FernetBox([new_key()])
    sealed = box.seal({"PASSWORD": "hunter2"})
    assert b"hunter2" not in sealed
    assert box.open(sealed) == {"PASSWORD": "hunter2"}


def test_a_new_key_opens_what_the_old_one_sealed():
    old, new = new_key(), new_key()
    assert FernetBox([new, old]).open(FernetBox([old]).seal({"A": "1"})) == {"A": "1"}


def test_without_the_key_nothing_opens_and_the_error_says_what_to_do():
    sealed = FernetBox([new_key()]).seal({"A": "1"})
    with pytest.raises(PlatformError) as caught:
        FernetBox([new_key()]).open(sealed)
    assert (caught.value.code, "LONGSHORE_SECRET_KEYS" in caught.value.hint) == ("wrong_key", True)


def test_what_is_no_key_is_refused():
    with pytest.raises(PlatformError, match="not a Fernet key"):
        FernetBox(["hello"])


def test_marks_tell_texts_apart_and_only_who_has_the_key_makes_them():
    key = new_key()
    assert FernetBox([key]).mark("a") == FernetBox([key, new_key()]).mark("a") != FernetBox([key]).mark("b")
    assert FernetBox([new_key()]).mark("a") != FernetBox([key]).mark("a")
