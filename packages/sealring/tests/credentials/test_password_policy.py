import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.credentials.passphrase import generate_passphrase
from sealring.credentials.password_policy import (
    AcceptablePassword,
    PasswordPolicy,
    PasswordRefused,
    judge_password,
    prepare_password,
)

POLICY = PasswordPolicy()
PASSPHRASE = "lamp gravel otter seventeen"


def judge(password: str, *, second_factor: bool = False, login_names: tuple[str, ...] = ("ada",)) -> str:
    outcome = judge_password(password, policy=POLICY, second_factor=second_factor, login_names=login_names)
    return outcome.code if isinstance(outcome, PasswordRefused) else "acceptable"


@given(password=st.text(st.characters(), max_size=200))
def test_an_acceptable_password_is_prepared_as_at_sign_in(password: str) -> None:
    outcome = judge_password(password, policy=POLICY, second_factor=True, login_names=["ada", "ada@example.com"])
    if isinstance(outcome, AcceptablePassword):
        assert outcome.prepared == prepare_password(password)
        assert outcome.prepared == prepare_password(unicodedata.normalize("NFD", password))
        assert 8 <= len(outcome.prepared.decode()) <= 128
    else:
        assert password == "" or password not in outcome.sentence or len(password) < 8


@given(password=st.text(st.characters(), max_size=1200))
def test_preparing_never_raises_and_is_stable(password: str) -> None:
    prepared = prepare_password(password)
    if isinstance(prepared, bytes):
        assert prepare_password(prepared.decode()) == prepared or len(prepared.decode()) > 1024


@pytest.mark.parametrize(
    ("password", "code"),
    [
        (PASSPHRASE, "acceptable"),
        ("x" * 14 + "y", "acceptable"),  # no rule but the written ones
        ("\u7231\u9633\u5149\u7684\u732b\u548c\u72d7\u5728\u82b1\u56ed\u91cc\u8dd1\u6765\u8dd1\u53bb", "acceptable"),
        ("lamp gravel ot", "password_too_short"),
        ("", "password_too_short"),
        ("aaaaaaaaaaaaaaa", "password_repetitive"),
        ("abcabcabcabcabcab", "password_repetitive"),
        ("Dragon!dragon!dragon!", "password_repetitive"),
        ("123456789012345678", "password_repetitive"),
        ("98765432109876543", "password_repetitive"),
        ("abcdefghijklmnop", "password_repetitive"),
        ("passwordpassword", "password_repetitive"),
        ("Password1234567", "password_common"),
        ("correct horse battery staple", "password_common"),
        ("CorrectHorseBatteryStaple", "password_common"),
        ("thequickbrownfoxjumpsoverthelazydog", "password_common"),
        ("\uff31\uff37\uff25\uff32\uff34\uff39uiopasdfgh", "password_common"),
        ("lamp gravel\0otter seventeen", "password_not_text"),
        ("lamp gravel\ud800otter seventeen", "password_not_text"),
        ("lamp " * 300, "password_too_long"),
        ("l" + "amp gravel otter" * 8, "password_too_long"),
    ],
)
def test_a_password_is_judged_by_length_and_guessability_alone(password: str, code: str) -> None:
    assert judge(password) == code


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("ada.lovelace@example.com", "password_is_login_name"),
        ("Ada.Lovelace@Example.Com!", "password_is_login_name"),
        ("ada.lovelace1815", "password_is_login_name"),
        ("!!!ADA.LOVELACE!!!", "password_is_login_name"),
        ("ada.lovelaceada.lovelace", "password_is_login_name"),
        ("ada.lovelace likes lamps", "acceptable"),
    ],
)
def test_the_login_name_with_little_added_is_no_password(password: str, code: str) -> None:
    assert judge(password, login_names=("ada.lovelace@example.com",)) == code


def test_a_very_short_login_name_forbids_nothing() -> None:
    assert judge("918273645546371a1", login_names=("a1",)) == "acceptable"


def test_a_second_factor_lowers_the_minimum() -> None:
    assert judge("otter 17", second_factor=True) == "acceptable"
    assert judge("otter 1", second_factor=True) == "password_too_short"
    assert judge("otter 17") == "password_too_short"
    assert judge("password", second_factor=True) == "password_common"


def test_characters_are_counted_after_normalising() -> None:
    assert judge("e\u0301" * 7 + "o\u0301" * 7) == "password_too_short"  # 28 code points typed, 14 characters
    assert judge("\ufdfa") == "acceptable"  # one typed, 18 characters
    assert judge("\ufdfa" * 15) == "password_too_long"
    assert judge("\U0001f511 otter gravel 1") == "acceptable"  # 16
    assert judge("lamp gravel otter seventeen " * 4) == "acceptable"  # 112
    assert judge("lamp gravel otter seventeen " * 4 + "lamp gravel otter") == "password_too_long"


def test_a_refusal_for_length_or_guessability_suggests_a_passphrase() -> None:
    for password in ("short", "a" * 20, "correcthorsebatterystaple"):
        outcome = judge_password(password, policy=POLICY, second_factor=False, login_names=[])
        assert isinstance(outcome, PasswordRefused)
        assert "passphrase" in outcome.sentence
    outcome = judge_password("short", policy=POLICY, second_factor=False, login_names=[])
    assert isinstance(outcome, PasswordRefused)
    assert "at least 15 characters" in outcome.sentence


def test_sign_in_knows_no_minimum_and_bounds_its_input() -> None:
    assert prepare_password("x") == b"x"
    assert prepare_password("") == b""
    assert prepare_password("\ufb01sh") == b"fish"
    assert isinstance(prepare_password("x" * 1024), bytes)
    assert isinstance(prepare_password("x" * 1025), PasswordRefused)


def test_a_generated_passphrase_is_acceptable() -> None:
    numbers = iter(range(0, 60_000, 977))
    passphrase = generate_passphrase(randomness=lambda n: next(numbers).to_bytes(n, "big"))
    assert judge(passphrase) == "acceptable"


def test_a_password_is_not_shown() -> None:
    outcome = judge_password(PASSPHRASE, policy=POLICY, second_factor=False, login_names=[])
    assert "gravel" not in repr(outcome)
    from rich.pretty import pretty_repr

    assert "gravel" not in pretty_repr(outcome)


@pytest.mark.parametrize(
    "lengths",
    [
        {"minimum_length": 7},
        {"minimum_length": 65},
        {"minimum_length_with_second_factor": 7},
        {"minimum_length": 10, "minimum_length_with_second_factor": 11},
        {"maximum_length": 63},
        {"maximum_length": 257},
    ],
)
def test_a_policy_outside_of_the_standards_bounds_is_refused(lengths: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="between"):
        PasswordPolicy(**lengths)
