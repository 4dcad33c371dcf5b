"""What can be declared, and what is refused."""

import pytest
from pydantic import ValidationError

from longshore.domain.specs import Build, Config, HealthCheck, Resources, Source, parse_bytes

SIZES = {"6291456": 6291456, "256m": 256 * 1024**2, "1g": 1024**3, "1.5G": 3 * 1024**3 // 2, "512MiB": 512 * 1024**2}
BAD = {
    "an unknown field": (Config, {"prot": 80}),
    "a port of 0": (Config, {"port": 0}),
    "a port over 65535": (Config, {"port": 65536}),
    "no replica": (Config, {"replicas": 0}),
    "an empty command": (Config, {"command": []}),
    "a path that is not one": (HealthCheck, {"path": "health"}),
    "a path with a line break": (HealthCheck, {"path": "/a\r\nX: y"}),
    "a status that is not one": (HealthCheck, {"status": "20"}),
    "a host that is not one": (HealthCheck, {"host": "a b"}),
    "memory in no unit": (Resources, {"memory": "lots"}),
    "less memory than the engine takes": (Resources, {"memory": "1m"}),
    "a Dockerfile outside the source": (Build, {"dockerfile": "../Dockerfile"}),
    "an absolute context": (Build, {"context": "/etc"}),
    "a path with a NUL": (Build, {"context": "a\0b"}),
    "two sources": (Source, {"git": {"url": "https://x/y"}, "image": "nginx"}),
    "no source": (Source, {}),
    "an image that is none": (Source, {"image": "Not An Image"}),
}


@pytest.mark.parametrize("text", SIZES)
def test_memory_is_read_in_units(text):
    assert parse_bytes(text) == SIZES[text]
    assert Resources(memory=text).memory == SIZES[text]


@pytest.mark.parametrize("what", BAD)
def test_it_is_refused(what):
    kind, given = BAD[what]
    with pytest.raises(ValidationError):
        kind.model_validate(given)


@pytest.mark.parametrize(
    ("rule", "good", "bad"), [("100-499", 404, 500), ("200", 200, 201), ("200-299", 299, 300), ("500", 500, 499)]
)
def test_a_health_check_accepts_a_status_or_a_range(rule, good, bad):
    check = HealthCheck(status=rule)
    assert check.accepts(good)
    assert not check.accepts(bad)


def test_without_a_word_an_app_has_one_replica_and_is_asked_for_its_root():
    config = Config()
    assert (config.port, config.replicas, config.health_check.path) == (None, 1, "/")


def test_a_configuration_survives_being_written_down():
    config = Config(port=80, resources=Resources(memory="256m", cpus=0.5), health_check=HealthCheck(path="/up"))
    assert Config.model_validate(config.model_dump(mode="json", exclude_defaults=True)) == config


def test_a_path_of_its_own_must_answer_well_and_the_root_only_must_not_break():
    assert HealthCheck().accepts(404)
    assert not HealthCheck(path="/healthz").accepts(404)
    assert HealthCheck(path="/healthz").accepts(302)
    assert HealthCheck(path="/healthz", status="404").accepts(404)
