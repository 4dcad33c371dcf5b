"""What an app may ask of the router, and that nothing a user writes means anything to it."""

import string
from types import SimpleNamespace

import pytest
from pydantic import TypeAdapter, ValidationError

from longshore.adapters.router import certificates, config, pages
from longshore.cli.diagnosis import CHECKS
from longshore.domain.ports import AppRoute
from longshore.domain.specs import Maintenance, Routing
from longshore.errors import LongshoreError

HOSTILE = [
    'a"b',
    "a\nbackend evil\n  server x 1.2.3.4:80",
    "%[src]",
    "%{+Q}o",
    "; del map x",
    "a\\",
    "$(id)",
    "<<\n",
    "#",
]
MESSAGE: TypeAdapter[str] = TypeAdapter(Maintenance)


def rendered(**rules) -> dict[str, str]:
    return config.render([AppRoute("hello", ("hello.localhost",), "a", {}, **rules)], "key", ["127.0.0.1:8080"])


@pytest.mark.parametrize("message", HOSTILE)
def test_a_message_is_one_word_of_a_map_whatever_it_says(message):
    files, quiet = rendered(maintenance=message), rendered()
    app, value = files["maintenance.map"].removesuffix("\n").split(" ")
    assert (app, set(value) <= {*string.ascii_letters, *string.digits, *"%_.-~"}) == ("hello", True)
    assert {name for name in files if files[name] != quiet[name]} == {"maintenance.map"}


def test_all_rules_are_in_maps_and_change_without_a_reload():
    files = rendered(routing=Routing(max_body="10m", timeout=2.5), max_rps=2.5, maintenance="away")
    assert files["max_body.map"] == "hello 10485760\n"
    assert files["timeout.map"] == "hello 2500\n"
    assert files["max_rps.map"] == "hello 3\n"
    assert config.mark(files) == config.mark(rendered())


def test_another_listener_or_another_app_is_another_mark():
    (quiet,) = [AppRoute("hello", ("hello.localhost",), "a", {})]
    marks = {
        config.mark(config.render(*one))
        for one in (([quiet], "k", ["a:1"]), ([quiet], "k", ["a:2"]), ([], "k", ["a:1"]))
    }
    assert len(marks) == 3


def test_a_page_of_a_message_has_one_place_for_it_and_no_other_format():
    assert pages.files()[pages.MAINTENANCE].replace("%[var(txn.maintenance),url_dec]", "").count("%") == 0


@pytest.mark.parametrize("wrong", ["", "   ", "a\x00b", "a\x1b[31m", "a\rb", "x" * 501, "a\u202eb", 7])
def test_a_message_is_plain_text_of_some_length(wrong):
    with pytest.raises(ValidationError):
        MESSAGE.validate_python(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_body": 0},
        {"max_body": "10x"},
        {"max_body": 2**51},
        {"timeout": 0},
        {"timeout": 3601},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"redirect_https": "maybe"},
        {"unknown": 1},
    ],
)
def test_limits_are_checked(wrong):
    with pytest.raises(ValidationError):
        Routing.model_validate(wrong)


# Certificates


@pytest.mark.parametrize(
    ("port", "found", "fact"),
    [(None, {}, "none: TLS is off"), (8443, {"shop.pem": None}, "1, on port 8443"), (8443, {}, "0, on port 8443")],
)
def test_doctor_counts_certificates(port, found, fact):
    assert CHECKS["certificates"](services_with(port, found)) == fact


def test_doctor_names_the_bad_ones():
    with pytest.raises(LongshoreError, match=r"old\.pem: it is no readable PEM file") as caught:
        CHECKS["certificates"](services_with(8443, {"shop.pem": None, "old.pem": "it is no readable PEM file"}))
    assert "left out" in caught.value.hint


def services_with(port, found):
    return SimpleNamespace(settings=SimpleNamespace(tls_port=port), router=SimpleNamespace(certificates=lambda: found))


def test_a_folder_that_is_not_there_holds_no_certificates(tmp_path):
    assert certificates.problems(tmp_path / "nowhere") == {}
    name = certificates.place(tmp_path / "nowhere", tmp_path)
    assert list((tmp_path / name).iterdir()) == []
    certificates.sweep(tmp_path, keep="")
    assert list(tmp_path.iterdir()) == []
