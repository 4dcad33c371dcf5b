"""Errors say whose fault it is; settings are typed, frozen and written down in ``.env.example``."""

import inspect
import re
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from longshore import errors
from longshore.errors import Fault, LongshoreError
from longshore.settings import Settings

ROOT = Path(__file__).parents[2]
KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, LongshoreError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_whose_fault_it_is(kind):
    assert isinstance(kind.fault, Fault)
    assert re.fullmatch(r"[a-z_]+", kind.code)
    assert kind.__doc__


@pytest.mark.parametrize("kind", KINDS)
def test_only_errors_of_the_platform_are_tried_again(kind):
    assert not kind.retryable or kind.fault is Fault.PLATFORM


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.fault is Fault.REQUEST])
def test_a_fault_of_the_request_is_a_4xx(kind):
    assert 400 <= kind.status < 500


def test_a_code_given_is_the_errors_own():
    assert LongshoreError("x", code="special").code == "special"
    assert LongshoreError("x").code == "error"


def described() -> str:
    """What ``.env.example`` must say: each setting's description, and its default as a comment."""
    lines = ["# Every setting there is, with its default. Copy to .env and take the # away from what you change.", ""]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else field.default
        lines += [f"# {field.description}", f"# LONGSHORE_{name.upper()}={default}".rstrip(), ""]
    return "\n".join(lines)


def test_env_example_lists_exactly_the_settings_and_their_defaults():
    assert (ROOT / ".env.example").read_text() == described()


def test_settings_cannot_be_changed(tmp_path):
    settings = Settings(_env_file=None, home=tmp_path)
    with pytest.raises(ValidationError):
        settings.port = 1


@pytest.mark.parametrize(
    "bad", [{"port": 0}, {"builds": 0}, {"stack": "Bad Name"}, {"build_rung": "magic"}, {"worker_queues": ""}]
)
def test_settings_that_cannot_be_are_refused(bad):
    with pytest.raises(ValidationError):
        Settings(_env_file=None, **bad)


def test_the_environment_sets_them(monkeypatch):
    monkeypatch.setenv("LONGSHORE_STACK", "other")
    assert Settings(_env_file=None).stack == "other"


def test_secrets_do_not_show_when_settings_are_printed(tmp_path):
    secret = SecretStr("postgresql://me:hunter22@db/x")
    settings = Settings(_env_file=None, home=tmp_path, database_url=secret, registry_password=SecretStr("hunter22"))
    assert "hunter22" not in repr(settings) + str(settings)
    assert settings.database == "postgresql://me:hunter22@db/x"


def test_a_socket_path_fits_into_the_107_bytes_there_are(tmp_path):
    settings = Settings(_env_file=None, home=tmp_path / ("deep" * 40), stack="a" * 30)
    assert len(str(settings.sockets / "router" / "master.sock")) < 107


def test_stacks_of_one_name_with_different_homes_have_different_sockets(tmp_path):
    one, two = (Settings(_env_file=None, home=tmp_path / name).sockets for name in ("one", "two"))
    assert one != two
