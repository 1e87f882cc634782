import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sealring.credentials.login_name import (
    EmailAddress,
    LoginNameRefused,
    Username,
    parse_email,
    parse_login_name,
    parse_username,
)

RIGHT_TO_LEFT_OVERRIDE = "\u202e"
anything = st.text(st.characters(), max_size=300) | st.text(
    st.sampled_from("aAé@.-xn1 \u0130\u00df\u212a\u0345\u1fb4"), max_size=20
)


def code_of(outcome: object) -> str:
    assert isinstance(outcome, LoginNameRefused)
    return outcome.code


@given(text=anything)
@example("\u1fb4")  # a letter whose case-folding is not in normal form
@example("\u0130")
@example("\ud800")
def test_every_text_is_a_normal_name_or_a_refusal(text: str) -> None:
    name = parse_login_name(text)
    if isinstance(name, LoginNameRefused):
        assert name.sentence
        return
    assert unicodedata.is_normalized("NFKC", name.key)
    assert ("@" in name.key) == isinstance(name, EmailAddress) == ("@" in name.shown)
    assert len(name.key.encode()) <= 512
    assert not any(character.isspace() for character in name.key)
    again = parse_login_name(name.key)
    assert isinstance(again, type(name))
    assert again.key == name.key, "a key is its own key"


@given(text=anything)
def test_case_width_and_composition_do_not_make_another_name(text: str) -> None:
    name = parse_login_name(text)
    if isinstance(name, LoginNameRefused):
        return
    for other in (unicodedata.normalize("NFD", name.shown), name.shown.upper(), name.shown.lower(), f" {text} "):
        variant = parse_login_name(other)
        if "ı" not in name.shown and not isinstance(variant, LoginNameRefused):
            assert variant.key == name.key


def test_every_code_point_alone_is_a_stable_name_or_a_refusal() -> None:
    for number in range(sys.maxunicode + 1):
        name = parse_username(chr(number))
        if isinstance(name, Username):
            assert unicodedata.category(chr(number)) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"}
            again = parse_username(name.key)
            assert isinstance(again, Username)
            assert again.key == name.key


@pytest.mark.parametrize(
    ("text", "shown", "key"),
    [
        ("ada", "ada", "ada"),
        ("Ada.Lovelace_1815", "Ada.Lovelace_1815", "ada.lovelace_1815"),
        ("  ada ", "ada", "ada"),
        ("\uff21\uff44\uff41", "Ada", "ada"),
        ("Jose\u0301", "Jos\u00e9", "jos\u00e9"),
        ("Stra\u00dfe", "Stra\u00dfe", "strasse"),
        ("\u212aelvin", "Kelvin", "kelvin"),
        ("\u0391\u03b4\u03b1\u03c2", "\u0391\u03b4\u03b1\u03c2", "\u03b1\u03b4\u03b1\u03c3"),
        ("\u05e2\u05d3\u05d4-1", "\u05e2\u05d3\u05d4-1", "\u05e2\u05d3\u05d4-1"),
        ("\u7231\u8fbe", "\u7231\u8fbe", "\u7231\u8fbe"),
    ],
)
def test_a_username_is_shown_as_written_and_compared_folded(text: str, shown: str, key: str) -> None:
    assert parse_username(text) == Username(shown=shown, key=key)


@pytest.mark.parametrize(
    "character",
    [
        "\0", "\n", "\t", "\x7f", "\x85", "\u00ad", "\u200b", "\u200d", "\u200e", RIGHT_TO_LEFT_OVERRIDE, "\u2066",
        "\u2028", "\u3000", "\u00a0", "\u034f", "\u115f", "\u3164", "\ufe0f", "\ufeff", "\ufffd", "\uffff", "\ue000",
        "\U000e0041", "\U000e0100", chr(0xD800), chr(0xDFFF), "\u0378", "\U0001f600", "\u2800", "\u20dd", " ", "\u2019",
    ],
)  # fmt: skip
def test_an_invisible_or_foreign_character_is_refused_and_named(character: str) -> None:
    refused = parse_username(f"a{character}b")
    assert code_of(refused) == "login_name_character_refused"
    assert isinstance(refused, LoginNameRefused)
    assert "U+" in refused.sentence
    assert refused.sentence.isascii()
    assert refused.sentence.isprintable()


@pytest.mark.parametrize("text", ["a@b", "a\uff20b", "a\ufe6bb", "@"])
def test_a_username_never_holds_an_at_sign_of_any_width(text: str) -> None:
    assert code_of(parse_username(text)) == "login_name_character_refused"
    assert isinstance(parse_login_name(text), LoginNameRefused)


@pytest.mark.parametrize("text", ["", " ", "    "])
def test_nothing_is_no_name(text: str) -> None:
    assert code_of(parse_login_name(text)) == "login_name_empty"


def test_a_name_that_mixes_directions_is_refused() -> None:
    assert code_of(parse_username("ada\u05d0")) == "login_name_mixed_direction"
    assert code_of(parse_email("ada\u05d0@example.com")) == "login_name_mixed_direction"


def test_a_name_does_not_begin_with_an_accent() -> None:
    assert code_of(parse_username("\u0301ada")) == "login_name_character_refused"


def test_lengths_are_judged_before_and_after_normalising() -> None:
    assert parse_username("a" * 128) == Username(shown="a" * 128, key="a" * 128)
    assert code_of(parse_username("a" * 129)) == "login_name_too_long"
    assert code_of(parse_username("\ufdfa" * 100)) in {"login_name_too_long", "login_name_character_refused"}
    assert code_of(parse_username("\U00020000" * 129)) == "login_name_too_long"
    assert code_of(parse_login_name("a" * 10_000)) == "login_name_too_long"
    assert code_of(parse_login_name("\0" * 10_000)) == "login_name_too_long"
    # 128 characters, whose case-folding has 256.
    assert code_of(parse_username("\u00df" * 128)) == "login_name_too_long"


@pytest.mark.parametrize(
    ("text", "shown", "key"),
    [
        ("ada@example.com", "ada@example.com", "ada@example.com"),
        ("Ada@Example.COM", "Ada@example.com", "ada@example.com"),
        ("ada+test@sub.example.co", "ada+test@sub.example.co", "ada+test@sub.example.co"),
        ("o'hara@example.com", "o'hara@example.com", "o'hara@example.com"),
        ("ada@B\u00fccher.example", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada\uff20example\u3002com", "ada@example.com", "ada@example.com"),
        ("Jos\u00e9@example.com", "Jos\u00e9@example.com", "jos\u00e9@example.com"),
    ],
)
def test_an_address_keeps_its_local_part_and_normalises_its_domain(text: str, shown: str, key: str) -> None:
    assert parse_login_name(text) == EmailAddress(shown=shown, key=key)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ada", "email_malformed"),
        ("@example.com", "email_malformed"),
        ("ada@b@example.com", "email_malformed"),
        (".ada@example.com", "email_malformed"),
        ("ada.@example.com", "email_malformed"),
        ("a..b@example.com", "email_malformed"),
        ('"a b"@example.com', "login_name_character_refused"),
        ("a b@example.com", "login_name_character_refused"),
        ("a,b@example.com", "login_name_character_refused"),
        ("a\r\nbcc:x@example.com", "login_name_character_refused"),
        ("a\0@example.com", "login_name_character_refused"),
        (f"a{RIGHT_TO_LEFT_OVERRIDE}@example.com", "login_name_character_refused"),
        ("ada@", "email_domain_malformed"),
        ("ada@localhost", "email_domain_malformed"),
        ("ada@example.com.", "email_domain_malformed"),
        ("ada@.example.com", "email_domain_malformed"),
        ("ada@exa_mple.com", "email_domain_malformed"),
        ("ada@-example.com", "email_domain_malformed"),
        ("ada@127.0.0.1", "email_domain_malformed"),
        ("ada@[127.0.0.1]", "email_domain_malformed"),
        ("ada@example.com\n", "email_domain_malformed"),
        ("ada@exa mple.com", "email_domain_malformed"),
        ("ada@xn--zz--zz--.example", "email_domain_malformed"),
        ("ada@\u200b.example", "email_domain_malformed"),
        ("ada@" + "a" * 64 + ".example", "email_domain_malformed"),
        ("a" * 65 + "@example.com", "login_name_too_long"),
        ("a" * 60 + "@" + "b." * 96 + "example", "login_name_too_long"),
    ],
)
def test_a_malformed_address_is_refused(text: str, code: str) -> None:
    assert code_of(parse_email(text)) == code
