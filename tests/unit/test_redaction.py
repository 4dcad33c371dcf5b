"""No form of a known value passes the redactor."""

import base64
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.domain.redaction import MASK, Redactor

PRINTABLE = st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"))
settings.register_profile("redaction", max_examples=40, deadline=None)
settings.load_profile("redaction")
SECRETS = st.text(PRINTABLE, min_size=8, max_size=60)
AROUND = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(SECRETS, AROUND, AROUND)
def test_a_value_never_passes_plain(secret, before, after):
    assert secret not in Redactor([secret]).redact(f"{before}{secret}{after}").replace(MASK, "\0")


@given(SECRETS, st.binary(max_size=7), st.binary(max_size=7))
def test_a_value_never_passes_in_base64_at_any_offset(secret, before, after):
    raw, start = before + secret.encode() + after, len(before)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        shown = Redactor([secret]).redact(encode(raw).decode())
        whole = encode(raw).decode()
        first, last = -(-start * 8 // 6), (start + len(secret.encode())) * 8 // 6  # characters of the value alone
        assert whole[first:last] not in shown
        assert MASK in shown


@pytest.mark.parametrize("encode", [lambda s: quote(s, safe=""), quote, quote_plus])
@given(secret=SECRETS)
def test_a_value_never_passes_url_encoded(encode, secret):
    assert encode(secret) not in Redactor([secret]).redact(f"https://u:{encode(secret)}@host/").replace(MASK, "\0")


@given(st.lists(SECRETS, min_size=2, max_size=5))
def test_of_several_lines_none_passes(lines):
    redactor = Redactor(["\n".join(lines)])
    for line in lines:
        for piece in line.splitlines():
            if len(piece.strip()) >= 8:
                assert piece.strip() not in redactor.redact(f"> {piece} <").replace(MASK, "\0")


@given(SECRETS, SECRETS)
def test_of_a_value_within_a_value_nothing_passes(inner, rest):
    redactor = Redactor([inner, inner + rest])
    assert redactor.redact(inner + rest) == MASK


@given(st.text())
def test_text_without_a_secret_stays_as_it_is(text):
    assert Redactor(["correct horse battery staple"]).redact(text) == text
    assert Redactor([]).redact(text) == text


def test_short_values_are_not_masked():
    assert Redactor(["true", "8080"]).redact("debug=true port=8080") == "debug=true port=8080"


@given(st.lists(SECRETS, min_size=2, max_size=4), st.binary(max_size=5))
def test_no_line_of_several_passes_in_base64_or_url_encoded(lines, before):
    redactor = Redactor(["\n".join(lines)])
    pieces = {piece.strip() for one in lines for piece in one.splitlines()}
    for line in (piece for piece in pieces if len(piece) >= 8):
        raw = before + line.encode()
        encoded, start = base64.b64encode(raw).decode(), len(before)
        first, last = -(-start * 8 // 6), len(raw) * 8 // 6
        assert encoded[first:last] not in redactor.redact(encoded)
        assert quote(line, safe="") not in redactor.redact(f"?key={quote(line, safe='')}").replace(MASK, "\0")


def test_values_that_overlap_are_hidden_together():
    assert Redactor(["alphabeta-1", "beta-1-gamma"]).redact("<alphabeta-1-gamma>") == f"<{MASK}>"
    assert Redactor(["alphabet", "omegaomega"]).redact("alphabetomegaomega!") == f"{MASK}{MASK}!"


def test_a_long_certificate_costs_no_more_than_a_password():
    redactor = Redactor(["\n".join(f"line {number} of a certificate that is long" for number in range(1500))])
    assert redactor.redact("x" * 50_000 + "line 77 of a certificate that is long") == "x" * 50_000 + MASK
