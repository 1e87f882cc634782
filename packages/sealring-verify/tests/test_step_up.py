import pytest

from sealring_verify import AccessToken, InsufficientAuthentication, StepUp
from sealring_verify.step_up import check_step_up, parse_step_up


def _token(*, acr: str | None = None, auth_time: int | None = None) -> AccessToken:
    return AccessToken(
        iss="https://id.example.com",
        sub="u1",
        aud=("orders",),
        exp=2000,
        iat=1000,
        jti="j1",
        client_id="web",
        scope=frozenset({"orders:read"}),
        acr=acr,
        auth_time=auth_time,
    )


def _refusal(token: AccessToken, step_up: StepUp, *, now: float = 1000) -> InsufficientAuthentication | None:
    try:
        check_step_up(token, step_up, scopes=["orders:read", "orders:write"], leeway=30, now=now)
    except InsufficientAuthentication as refusal:
        return refusal
    return None


def test_one_of_the_acr_values_will_do() -> None:
    demand = StepUp(acr_values=("gold", "silver"))
    assert _refusal(_token(acr="silver"), demand) is None
    for acr in ("bronze", "golden", "gold silver", "", None):
        refusal = _refusal(_token(acr=acr), demand)
        assert refusal is not None
        assert (refusal.claim, refusal.acr_values, refusal.max_age) == ("acr", ("gold", "silver"), None)


@pytest.mark.parametrize(("now", "passes"), [(1000, True), (1330, True), (1330.5, False), (9999, False), (900, True)])
def test_a_sign_in_is_recent_for_max_age_and_the_leeway(now: float, passes: bool) -> None:  # noqa: FBT001 - a case
    assert (_refusal(_token(auth_time=1000), StepUp(max_age=300), now=now) is None) == passes


def test_a_token_that_does_not_say_when_is_not_recent() -> None:
    refusal = _refusal(_token(), StepUp(max_age=300))
    assert refusal is not None
    assert (refusal.claim, refusal.acr_values, refusal.max_age) == ("auth_time", (), 300)


def test_how_and_when_are_both_demanded_and_both_told() -> None:
    demand = StepUp(acr_values=("gold",), max_age=300)
    assert _refusal(_token(acr="gold", auth_time=1000), demand) is None
    for token in (_token(acr="gold"), _token(auth_time=1000), _token(acr="gold", auth_time=1)):
        refusal = _refusal(token, demand)
        assert refusal is not None
        assert (refusal.acr_values, refusal.max_age) == (("gold",), 300)


def test_scopes_that_are_lacking_besides_are_told_in_the_same_breath() -> None:
    refusal = _refusal(_token(), StepUp(max_age=300))
    assert refusal is not None
    assert refusal.required == ("orders:write",)


def test_a_demand_is_read_from_what_an_author_writes() -> None:
    assert parse_step_up((), None) is None
    assert parse_step_up("gold", None) == StepUp(acr_values=("gold",))
    assert parse_step_up(["gold", "silver"], 0) == StepUp(acr_values=("gold", "silver"), max_age=0)


@pytest.mark.parametrize("acr", ["", "gold silver", 'go"ld', "go\\ld", "gölden", ["gold", ""]])
def test_what_is_no_acr_is_refused(acr: str | list[str]) -> None:
    with pytest.raises(ValueError, match="acr"):
        parse_step_up(acr, None)


@pytest.mark.parametrize("max_age", [-1, 1.5, True, "300"])
def test_what_is_no_number_of_seconds_is_refused(max_age: int) -> None:
    with pytest.raises(ValueError, match="max_age"):
        StepUp(max_age=max_age)
