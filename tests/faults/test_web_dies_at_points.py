"""The web process dies while it takes on a deployment: whoever asks again with the same key gets the one there is."""

import json
import secrets

import httpx
import projects
import pytest
from catalogue import reached_by_a_request
from checker import Expected, check
from harness import archive, until
from trial import Note, Trial

POINTS = [name for name in reached_by_a_request() if "tokens." not in name]  # a token's use is noted now and then

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("action", ["kill", "crash"])
@pytest.mark.parametrize("name", POINTS)
def test_a_request_that_was_cut_is_asked_again(on_sqlite: Trial, name: str, action: str, record_property: Note) -> None:
    trial, rig = on_sqlite, on_sqlite.rig
    trial.ready()
    number, text, key = trial.newest(), f"asked {name} {action}", secrets.token_hex(8)
    source = archive(projects.web(text))
    rig.arm([name], action)
    with pytest.raises(httpx.TransportError):
        _ask(trial, source, key)
    rig.caught()
    accepted = trial.newest() - number
    assert accepted == (1 if "after commit of deployments.create" in name or "queue.send" in name else 0)
    until(rig.ready, 30, "the web process is back")
    answer = _ask(trial, source, key)
    assert answer.status_code == 202, answer.text
    view = answer.json()
    assert view["number"] == number + 1 == trial.newest()
    assert rig.ended(view)["state"] == "succeeded"
    trial.live = rig.text(trial.app)
    assert trial.live == text
    check(rig, Expected(trial.app, view["number"], trial.replicas))
    record_property("fault", [f"web {action}ed", name, "sqlite", None, None, None])


def _ask(trial: Trial, source: bytes, key: str) -> httpx.Response:
    files = {"source": ("source.tar.gz", source, "application/gzip")}
    headers, spec = {"idempotency-key": key}, {"spec": json.dumps({"config": {}})}
    return trial.rig.ask("POST", f"/v1/apps/{trial.app}/deployments", files=files, data=spec, headers=headers)
