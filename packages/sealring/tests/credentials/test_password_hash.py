import os
import statistics
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealring.credentials.password_hash import (
    Match,
    MatchNeedsRehash,
    NoMatch,
    PasswordHashParameters,
    UnreadablePasswordHash,
    dummy_password_hash,
    hash_password,
    verify_password,
)

CHEAP = PasswordHashParameters(memory=8, passes=1, lanes=1)


@settings(deadline=None)
@given(password=st.binary(max_size=300), other=st.binary(max_size=300))
def test_only_the_password_itself_matches(password: bytes, other: bytes) -> None:
    phc = hash_password(password, parameters=CHEAP, randomness=os.urandom)
    assert verify_password(phc, password, parameters=CHEAP) == Match()
    assert (verify_password(phc, other, parameters=CHEAP) == Match()) == (password == other)


def test_the_default_hash_records_owasps_parameters_and_a_fresh_salt() -> None:
    phc = hash_password(b"correct horse", parameters=PasswordHashParameters(), randomness=lambda n: b"s" * n)
    assert phc.startswith("$argon2id$v=19$m=19456,t=2,p=1$c3Nzc3Nzc3Nzc3Nzc3Nzcw$")
    assert verify_password(phc, b"correct horse", parameters=PasswordHashParameters()) == Match()


@pytest.mark.parametrize(
    "newer",
    [
        PasswordHashParameters(memory=16, passes=1, lanes=1),
        PasswordHashParameters(memory=8, passes=2, lanes=1),
        PasswordHashParameters(memory=16, passes=1, lanes=2),
    ],
)
def test_a_hash_of_other_parameters_matches_and_asks_to_be_made_anew(newer: PasswordHashParameters) -> None:
    phc = hash_password(b"correct horse", parameters=CHEAP, randomness=os.urandom)
    assert verify_password(phc, b"correct horse", parameters=newer) == MatchNeedsRehash()
    assert verify_password(phc, b"wrong horse", parameters=newer) == NoMatch()


def test_a_short_salt_asks_to_be_made_anew() -> None:
    phc = hash_password(b"correct horse", parameters=CHEAP, randomness=lambda _: b"12345678")
    assert verify_password(phc, b"correct horse", parameters=CHEAP) == MatchNeedsRehash()


@pytest.mark.parametrize(
    "phc",
    [
        "",
        "plain",
        "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$",
        "$argon2id$v=19$m=8,t=1,p=1$@@@@$@@@@",
        "$argon2id$v=19$m=x,t=1,p=1$c2FsdHNhbHQ$ZGlnZXN0",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$ZGlnZXN0é",
    ],
)
def test_a_damaged_hash_is_for_the_operator_and_is_not_quoted(phc: str) -> None:
    with pytest.raises(UnreadablePasswordHash) as caught:
        verify_password(phc, b"correct horse", parameters=CHEAP)
    assert phc == "" or phc not in str(caught.value)


@given(password=st.binary(max_size=40))
def test_the_dummy_matches_nothing(password: bytes) -> None:
    assert verify_password(dummy_password_hash(CHEAP), password, parameters=CHEAP) == NoMatch()


def test_an_unknown_user_costs_what_a_known_one_does() -> None:
    parameters = PasswordHashParameters()
    known = hash_password(b"correct horse", parameters=parameters, randomness=os.urandom)
    took: dict[str, list[float]] = {known: [], dummy_password_hash(parameters): []}
    for _ in range(7):
        for phc, times in took.items():
            start = time.thread_time()
            assert verify_password(phc, b"wrong horse", parameters=parameters) == NoMatch()
            times.append(time.thread_time() - start)
    known_time, dummy_time = (statistics.median(times) for times in took.values())
    assert 0.5 < dummy_time / known_time < 2


@pytest.mark.parametrize("wrong", [{"memory": 7}, {"passes": 0}, {"lanes": 0}, {"memory": 15, "lanes": 2}])
def test_impossible_parameters_are_refused_at_once(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="Argon2id needs"):
        PasswordHashParameters(**wrong)
