import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.initial_access_token import MakeInitialAccessToken, initial_access_token_problem


@given(
    st.builds(
        MakeInitialAccessToken,
        note=st.text(alphabet=st.characters(categories=["L", "N"]), max_size=128),
        uses=st.integers(1, 1000),
        days=st.integers(1, 366),
    )
)
def test_a_token_within_the_bounds_can_be_made(request_: MakeInitialAccessToken) -> None:
    assert initial_access_token_problem(request_) is None


@pytest.mark.parametrize(
    "members", [{"uses": 0}, {"uses": 1001}, {"days": 0}, {"days": 367}, {"note": "x" * 129}, {"note": "a\nb"}]
)
def test_a_token_out_of_bounds_is_refused_in_a_sentence(members: dict[str, object]) -> None:
    problem = initial_access_token_problem(MakeInitialAccessToken(**members))  # type: ignore[arg-type] # any member
    assert problem is not None
    assert (problem.code, problem.status) == ("invalid_registration", 400)
    assert problem.description.endswith(("clients.", "days.", "most."))
