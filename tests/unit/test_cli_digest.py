"""The digest of a failure as people read it."""

from longshore.cli.digest import show_digest

REPLICA = {
    "name": "longshore.hello.g2.web.1",
    "process": "web",
    "port": 80,
    "running": True,
    "exit_code": None,
    "out_of_memory": False,
    "restarts": 0,
    "listens": [{"port": 9000, "loopback_only": False}, {"port": 8000, "loopback_only": True}],
    "probes": [
        {"at": "2026-11-24T20:00:01.250000Z", "seconds": 0.0012, "status": None, "problem": "connection refused"}
    ],
    "output": ["ready to serve"],
}
CHANGES = {
    "release": 1,
    "commit": {"before": "aaa", "now": "bbb"},
    "image": None,
    "base_image": None,
    "env": {"added": ["NEW"], "changed": [], "removed": ["OLD"]},
    "config": ["port"],
}
DIGEST = {
    "cause": "It listens on port 9000, but it is asked on port 80.",
    "job": "health_check",
    "step": None,
    "code": "not_listening",
    "message": "nothing answered",
    "fault": "app",
    "hint": None,
    "changes": CHANGES,
    "replicas": [REPLICA],
    "log": [],
    "at": "2026-11-24T20:00:02Z",
    "partial": False,
}


def said(capsys, **changes) -> str:
    show_digest({"id": "hello#2", "digest": {**DIGEST, **changes}})
    return capsys.readouterr().err


def test_without_a_digest_nothing_is_said(capsys):
    show_digest({"id": "hello#1", "digest": None})
    assert capsys.readouterr() == ("", "")


def test_all_of_it_is_told(capsys):
    assert said(capsys).splitlines() == [
        "",
        "health_check of hello#2 failed (not_listening, the app's own fault)",
        "  likely   It listens on port 9000, but it is asked on port 80.",
        "  changed  commit aaa → bbb (since release 1, the last good one)",
        "           env added: NEW",
        "           env removed: OLD",
        "           config: port",
        "  longshore.hello.g2.web.1 runs, asked on port 80, listens on 9000, 8000 (loopback only)",
        "    20:00:01.250  probe: connection refused, 1 ms",
        "    its last lines:",
        "    │ ready to serve",
    ]


def test_one_that_ended_tells_how(capsys):
    ended = {**REPLICA, "running": False, "exit_code": 137, "out_of_memory": True}
    assert "ended with exit code 137, killed for its memory" in said(capsys, replicas=[ended])
    assert "has no container" in said(capsys, replicas=[{**REPLICA, "running": None}])


def test_a_build_tells_its_step_and_its_log(capsys):
    told = said(capsys, job="build", step="[2/2] RUN false", replicas=[], log=["exit code: 1"], changes=None)
    assert "  step     [2/2] RUN false" in told
    assert "    │ exit code: 1" in told
    assert "no release was good before" in told


def test_what_is_not_whole_says_so(capsys):
    assert "did not answer" in said(capsys, partial=True, job=None)
